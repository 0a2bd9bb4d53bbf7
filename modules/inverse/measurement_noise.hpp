#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

#include "modules/core/noise.hpp"

namespace reseda::inverse {

/// How a measurement m = H(x) becomes the observed y. Models of counts, magnitudes and intensities see the amount
/// a = (m - dark) / (1 - dark), which is 0 at the dark level; below it they take a = 0.
struct MeasurementNoiseConfig {
  std::string model = "gaussian";
  double sigma = 0.05;
  double peak = 100.0;
  std::int64_t looks = 1;
  double dark = -1.0;
  template <class V>
  void fields(V& v) {
    v("model", model, "none, gaussian, poisson, poisson_gaussian, rician or speckle");
    v("sigma", sigma, "gaussian, poisson_gaussian, rician: standard deviation in the units of the measurement");
    v("peak", peak, "poisson, poisson_gaussian: mean count at the measurement's 1");
    v("looks", looks,
      "speckle: independent intensities averaged; the standard deviation is 1/sqrt(looks) of the amount");
    v("dark", dark, "the measurement without signal: -1 for images in [-1, 1], 0 for magnitudes; below 1");
  }
  /// @throws Error{kUsage} naming the key
  void validate() const;
};

/// Draws y given m; with d = dark and D = 1 - dark:
///   gaussian          y = m + sigma z                                            draw ("measurement", 0)
///   poisson           y = d + D k / peak, k ~ Poisson(peak a): the quantile of Phi(z)    draw ("measurement", 0)
///   poisson_gaussian  the same + sigma z'                                        draws ("measurement", 0), then 1
///   rician            y = d + |m - d + sigma (z + i z')|                         draws ("measurement", 0), then 1
///   speckle           y = d + D a g, g ~ Gamma(looks, 1/looks) = mean of z^2 over 2 looks   draw ("measurement", 0)
/// @param clean  real, any shape [B,...]; gaussian also complex64, with sigma of each part
/// @return       shape, type and device of clean
at::Tensor add_measurement_noise(const MeasurementNoiseConfig& config, const at::Tensor& clean, NoiseSource& noise,
                                 std::string_view item);

/// The gradient of ln p(y | m) with respect to m, element by element; where a = 0 the limit from above is taken at a =
/// 1e-6. poisson_gaussian: of the normal law of the same mean and variance, Foi et al. 2008.
/// @throws Error{kUsage} for the model none and for sigma = 0, which have no density
at::Tensor log_likelihood_gradient(const MeasurementNoiseConfig& config, const at::Tensor& y, const at::Tensor& clean);

}  // namespace reseda::inverse
