#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::certify {

/// `reseda certify train`: a folder of labelled images in, a model file out.
app::Verb train_verb();

}  // namespace reseda::certify
