#pragma once

#include "pipelines/common/flags.hpp"

namespace reseda::infrared {

/// The flags of `upscale` besides those of every batch and every computation.
app::FlagTable upscale_flags();

}  // namespace reseda::infrared
