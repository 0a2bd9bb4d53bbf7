#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::tools {

/// "reseda tools compare": exit code 0 if two checkpoints hold equal tensors, 1 if they differ.
app::Verb compare_verb();

}  // namespace reseda::tools
