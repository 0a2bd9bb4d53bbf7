#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::tools {

/// "reseda tools models": the installed models, or those of the folders given.
app::Verb models_verb();

}  // namespace reseda::tools
