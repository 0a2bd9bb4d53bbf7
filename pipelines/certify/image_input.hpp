#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace reseda::certify {

/// What a classifier is shown of an image in [0, 1]: noise is added first, in [0, 1] and without clipping, then each
/// channel is normalised, (x - mean) / std. A radius is therefore in units of [0, 1].
struct ImageInput {
  std::int64_t size = 32;
  std::vector<double> mean = {0.5, 0.5, 0.5};
  std::vector<double> std = {0.5, 0.5, 0.5};
  template <class V>
  void fields(V& v) {
    v("size", size, "height and width of the images");
    v("mean", mean, "of each channel, of values in [0, 1]");
    v("std", std, "of each channel, of values in [0, 1]");
  }
  /// @throws Error{kUsage}
  void validate() const;
  /// @param x  [B,C,H,W]   @return same shape   @throws Error{kUsage} on other channels
  at::Tensor normalised(const at::Tensor& x) const;
};

}  // namespace reseda::certify
