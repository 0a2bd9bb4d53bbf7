#pragma once

#include "pipelines/common/program.hpp"

namespace reseda::infrared {

/// `reseda infrared upscale`: thermal frames in, the same 2 or 4 times larger out, in the same units, depth and format.
app::Verb upscale_verb();

}  // namespace reseda::infrared
