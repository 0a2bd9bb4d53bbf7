#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::tools {

/// "reseda tools convert": writes the weights of a checkpoint as one safetensors file.
app::Verb convert_verb();

}  // namespace reseda::tools
