#include "pipelines/medical/slices.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"

namespace reseda::medical {

restoration::ImageSet slices_of(const VolumeSet& volumes, std::int64_t least) {
  restoration::ImageSet set;
  for (std::size_t v = 0; v < volumes.names.size(); ++v) {
    for (std::int64_t axis = 0; axis < 3; ++axis) {
      if (!sliceable(volumes.spacing_mm[v], axis)) continue;
      for (std::int64_t i = 0; i < volumes.voxels[v].size(axis); ++i) {
        const at::Tensor slice = volumes.voxels[v].select(axis, i).unsqueeze(0);
        if (slice.size(1) < least || slice.size(2) < least || slice.std().item<double>() < 0.02) continue;
        set.names.push_back(volumes.names[v] + ", axis " + std::to_string(axis) + ", slice " + std::to_string(i));
        set.images.push_back(slice);
      }
    }
  }
  RESEDA_REQUIRE(!set.images.empty(), Errc::kInput, "no slice of at least ", least, " pixels a side with content");
  return set;
}

}  // namespace reseda::medical
