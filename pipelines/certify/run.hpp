#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::certify {

/// `reseda certify run`: labelled images and a classifier in, certificates out.
app::Verb run_verb();

}  // namespace reseda::certify
