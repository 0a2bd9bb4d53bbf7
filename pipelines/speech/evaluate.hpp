#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::speech {

/// `reseda speech evaluate`: scores enhanced files against clean ones, file by file and in the mean, and writes a table
/// (CSV), a record (JSON) and a page with spectrograms (HTML).
app::Verb evaluate_verb();

}  // namespace reseda::speech
