#include "modules/diffusion/guidance/loss_guidance.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

namespace reseda::diffusion {
namespace {

/// A copy to differentiate by; those of inference mode cannot be recorded.
at::Tensor variable(const at::Tensor& x) { return x.detach().clone().requires_grad_(true); }

at::Tensor gradient_of(const at::Tensor& values, const at::Tensor& input) {
  if (!values.requires_grad()) return at::zeros_like(input).detach();
  const at::Tensor found = torch::autograd::grad({values.sum()}, {input}, {}, /*retain_graph=*/false,
                                                 /*create_graph=*/false, /*allow_unused=*/true)[0];
  return found.defined() ? found : at::zeros_like(input).detach();
}

}  // namespace

Estimates LossGuidance::operator()(const at::Tensor& x, double t, const Condition& condition) const {
  const double scale = scale_(t);
  if (scale == 0.0) return inner_(x, t, condition);
  const c10::InferenceMode no_inference(false);
  const c10::AutoGradMode recording(true);
  const Marginal m = process_.at(t);
  if (of_ == GradientOf::kState) {
    const at::Tensor state = variable(x);
    const Estimates found = inner_(state, t, condition);
    const at::Tensor gradient = gradient_of(loss_(found.x0, t), state);
    const at::Tensor eps = found.eps.detach() + Coef(scale * m.c.value) * gradient;
    return estimates_from(Target::kEps, eps, x, condition.y, m, {});
  }
  const at::Tensor x0 = variable(inner_(x.detach(), t, condition).x0);
  const at::Tensor moved = x0.detach() - scale * gradient_of(loss_(x0, t), x0);
  return estimates_from(Target::kX0, moved, x, condition.y, m, {});
}

}  // namespace reseda::diffusion
