#include "modules/nn/fourier_features.hpp"

#include <ATen/ATen.h>

#include <numbers>

namespace reseda::nn {

FourierFeatures::FourierFeatures(std::int64_t size, double scale) {
  W = register_parameter("W", at::randn({size}) * scale, /*requires_grad=*/false);
}

at::Tensor FourierFeatures::forward(const at::Tensor& x) const {
  const at::Tensor phase = x.unsqueeze(-1) * W * 2.0 * std::numbers::pi;
  return at::cat({phase.sin(), phase.cos()}, -1);
}

}  // namespace reseda::nn
