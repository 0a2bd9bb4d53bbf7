#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::infrared {

/// `reseda infrared train`: folders of clean frames in, a model file out.
app::Verb train_verb();

}  // namespace reseda::infrared
