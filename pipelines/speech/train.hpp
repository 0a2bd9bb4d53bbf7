#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::speech {

/// `reseda speech train`: folders of clean speech and noise in, a model file out.
app::Verb train_verb();

}  // namespace reseda::speech
