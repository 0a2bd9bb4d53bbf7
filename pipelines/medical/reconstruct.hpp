#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::medical {

/// `reseda medical reconstruct`: k-space or sinograms in, magnitude images or attenuations out.
app::Verb reconstruct_verb();

}  // namespace reseda::medical
