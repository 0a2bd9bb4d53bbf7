#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::medical {

/// `reseda medical train`: volumes in, a model file out.
app::Verb train_verb();

}  // namespace reseda::medical
