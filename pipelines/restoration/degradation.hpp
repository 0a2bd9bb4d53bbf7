#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>

#include "modules/core/noise.hpp"

namespace reseda::restoration {

/// How a clean image becomes a measurement of the same size: a Gaussian blur, then white Gaussian noise; each with a
/// strength drawn uniformly from its range.
struct DegradationConfig {
  double blur_low = 0.0, blur_high = 0.0;
  double noise_low = 0.0, noise_high = 0.0;
  template <class V>
  void fields(V& v) {
    v("blur_low", blur_low, "smallest standard deviation of the Gaussian blur, pixels");
    v("blur_high", blur_high, "largest");
    v("noise_low", noise_low, "smallest standard deviation of the noise, as a share of the range from black to white");
    v("noise_high", noise_high, "largest");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// A Gaussian blur with mirrored borders, kernel cut at 3 sigma and normalised; sigma 0 changes nothing.
/// @param x  [C,H,W], each side larger than 3 sigma
at::Tensor gaussian_blur(const at::Tensor& x, double sigma);

/// y = blur(x) + noise.
/// @param x  [C,H,W] in [-1, 1], where the range from black to white is 2
/// Draws: (item, "degradation", step), then (item, "measurement noise", step).
at::Tensor degrade(const at::Tensor& x, const DegradationConfig& config, NoiseSource& noise, std::string_view item,
                   std::uint32_t step = 0);

}  // namespace reseda::restoration
