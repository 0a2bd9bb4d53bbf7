#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::tools {

/// `reseda tools bench`: solvers compared on real images, as a table and plots.
app::Verb bench_verb();

}  // namespace reseda::tools
