#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::certify {

/// `reseda certify import`: a PyTorch checkpoint in, a model file of `reseda certify run` out.
app::Verb import_verb();

}  // namespace reseda::certify
