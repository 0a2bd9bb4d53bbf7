#include "modules/inverse/solvers/decorrelation.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

namespace reseda::inverse {
namespace {

at::Tensor value_of(at::Tensor z) {
  at::Tensor sum = at::zeros({z.size(0)}, z.options());
  while (true) {
    for (const std::int64_t axis : {2, 3}) sum = sum + (z * at::roll(z, {1}, {axis})).flatten(1).mean(1).square();
    if (std::min(z.size(2), z.size(3)) <= 2) return sum;
    z = at::avg_pool2d(z, {2, 2});
  }
}

}  // namespace

Decorrelation decorrelation(const at::Tensor& z) {
  const c10::InferenceMode no_inference(false);
  const c10::AutoGradMode recording(true);
  const at::Tensor variable = z.detach().clone().requires_grad_(true), value = value_of(variable);
  const at::Tensor gradient = torch::autograd::grad({value}, {variable}, {at::ones_like(value)})[0];
  return {value.detach(), gradient};
}

}  // namespace reseda::inverse
