#include "modules/nn/init.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::nn {

at::Tensor fan_average_uniform(at::IntArrayRef shape, double scale) {
  RESEDA_INVARIANT(shape.size() >= 2);
  double receptive_field = 1;
  for (std::size_t axis = 2; axis < shape.size(); ++axis) receptive_field *= static_cast<double>(shape[axis]);
  const double fan = static_cast<double>(shape[0] + shape[1]) / 2 * receptive_field;
  const double bound = std::sqrt(3 * (scale == 0 ? 1e-10 : scale) / fan);
  return at::empty(shape, at::kFloat).uniform_(-bound, bound);
}

void set_to_zero(torch::nn::Module& layer) {
  const at::NoGradGuard no_grad;
  for (at::Tensor& parameter : layer.parameters()) parameter.zero_();
}

}  // namespace reseda::nn
