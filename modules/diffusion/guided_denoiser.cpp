#include "modules/diffusion/guided_denoiser.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "modules/diffusion/weighted_sum.hpp"

namespace reseda::diffusion {

LogGradient log_gradient(std::function<at::Tensor(const at::Tensor& x, const at::Tensor& t)> log_probability) {
  return [log_probability = std::move(log_probability)](const at::Tensor& x, const at::Tensor& t) {
    const c10::InferenceMode no_inference(false);
    const c10::AutoGradMode recording(true);
    // Tensors made in inference mode cannot be recorded; their copies can.
    const at::Tensor variable = x.detach().clone().requires_grad_(true);
    return torch::autograd::grad({log_probability(variable, t.clone()).sum()}, {variable})[0];
  };
}

Estimates GuidedDenoiser::operator()(const at::Tensor& x, double t, const Condition& condition) const {
  const Estimates found = inner_(x, t, condition);
  const at::Tensor time = network_input_times(process_, at::full({x.size(0)}, t, at::kDouble)).to(x.device());
  const at::Tensor guidance = scale_ * gradient_(x, time);
  const Marginal m = process_.at(t);
  const at::Tensor eps = weighted_sum({{1.0, found.eps}, {Coef(-m.c.value), guidance}});
  Estimates guided = estimates_from(Target::kEps, eps, x, condition.y, m, {});
  guided.variance_share = found.variance_share;
  guided.unguided_x0 = found.x0;
  guided.guidance = guidance;
  return guided;
}

}  // namespace reseda::diffusion
