#pragma once

#include "pipelines/medical/volume_set.hpp"
#include "pipelines/restoration/image_set.hpp"

namespace reseda::medical {

/// Slices of volumes along all axes, as [1,H,W] images. Left out: axes across which slices are not `sliceable`, slices
/// smaller than `least` a side, and slices without content (standard deviation below 0.02).
/// @throws Error{kInput} if none is left
restoration::ImageSet slices_of(const VolumeSet& volumes, std::int64_t least);

}  // namespace reseda::medical
