#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <string>
#include <vector>

namespace reseda::medical {

/// How voxels of a modality become numbers that a model shared by several is trained on.
struct IntensityConfig {
  double ct_low = -1000.0, ct_high = 1000.0;
  double mr_percentile = 99.5;
  double least = 0.0, most = 1.25;
  template <class V>
  void fields(V& v) {
    v("ct_low", ct_low, "HU that becomes 0");
    v("ct_high", ct_high, "HU that becomes 1");
    v("mr_percentile", mr_percentile, "percentile of an MR volume that becomes 1; 0 stays 0");
    v("least", least, "smaller numbers are cut to this");
    v("most", most, "larger numbers are cut to this");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// Voxels and numbers: voxel = low + (high - low) number.
struct IntensityRange {
  double low = 0, high = 1;
  at::Tensor to_numbers(const at::Tensor& voxels) const;
  at::Tensor to_voxels(const at::Tensor& numbers) const;
};

/// The range of a volume: fixed for CT, else from 0 to a percentile of its voxels. @throws Error{kInput} naming the
/// volume where that percentile is not positive
IntensityRange intensity_range(const at::Tensor& voxels, bool ct, const IntensityConfig& config,
                               const std::string& name);

/// Volumes in memory, as numbers around [0, 1].
struct VolumeSet {
  std::vector<std::string> names;
  std::vector<at::Tensor> voxels;                 ///< [D,H,W] float32
  std::vector<std::array<double, 3>> spacing_mm;  ///< along d, h, w
  std::vector<bool> ct;
};

/// @param ct, mr  files, folders or patterns (io::discover_inputs)
/// @throws Error{kInput} if none is found, or a volume cannot be read
VolumeSet read_volumes(const std::vector<std::string>& ct, const std::vector<std::string>& mr,
                       const IntensityConfig& config);

/// Whether slices across an axis look alike in both directions: neither side of a pixel is more than twice the other.
bool sliceable(const std::array<double, 3>& spacing_mm, std::int64_t axis);

}  // namespace reseda::medical
