#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::tools {

/// "reseda tools doctor": what this machine offers, and whether its arithmetic can be trusted. kNumeric if not.
app::Verb doctor_verb();

}  // namespace reseda::tools
