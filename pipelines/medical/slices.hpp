#pragma once

#include <string>
#include <vector>

#include "pipelines/restoration/image_set.hpp"

namespace reseda::medical {

/// How voxels of a modality become numbers that a model shared by several is trained on.
struct IntensityConfig {
  double ct_low = -1000.0, ct_high = 1000.0;
  double mr_percentile = 99.5;
  double most = 1.25;
  template <class V>
  void fields(V& v) {
    v("ct_low", ct_low, "HU that becomes 0");
    v("ct_high", ct_high, "HU that becomes 1");
    v("mr_percentile", mr_percentile, "percentile of an MR volume that becomes 1; 0 stays 0");
    v("most", most, "larger numbers are cut to this");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// Slices of volumes along all axes, as [1,H,W] images of numbers around [0, 1]. Left out: axes across which slices are
/// more than twice as thick as the pixels are wide or the other way round, slices smaller than `least` a side, and
/// slices without content (standard deviation below 0.02).
/// @param ct, mr  files, folders or patterns (io::discover_inputs)
/// @throws Error{kInput} if none is found, or a volume cannot be read
restoration::ImageSet read_slices(const std::vector<std::string>& ct, const std::vector<std::string>& mr,
                                  const IntensityConfig& config, std::int64_t least);

}  // namespace reseda::medical
