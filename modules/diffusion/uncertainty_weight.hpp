#pragma once

#include <ATen/core/Tensor.h>

namespace reseda::diffusion {

struct UncertaintyWeightConfig {
  double un = 0.1;
  double min_noise = 0.4;
  template <class V>
  void fields(V& v) {
    v("un", un, "difference, on images in [0, 1], that counts as fully uncertain; 0 or less weighs all pixels with 1");
    v("min_noise", min_noise, "weight of the noise where nothing is uncertain");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// The weight of a pixel's noise by how far two guesses of it differ,
///   w = m + (1 - m) min(|d|, un) / un,   and w = 1 for un <= 0,   m = min_noise
/// UPSR's d is (g(y) - bicubic(y)) / 2 of images in [-1, 1], not clamped: per pixel and channel.
/// @param difference  d   @return same shape, in [min_noise, 1]
/// Source: Zhang et al. 2025, "Uncertainty-guided Perturbation for Image Super-Resolution Diffusion Model", Sec. 3.
/// Official: LabShuHangGU/UPSR, basicsr/models/upsr_real_model.py.
at::Tensor uncertainty_weight(const at::Tensor& difference, const UncertaintyWeightConfig& config);

}  // namespace reseda::diffusion
