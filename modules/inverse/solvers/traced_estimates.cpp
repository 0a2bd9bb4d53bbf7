#include "modules/inverse/solvers/traced_estimates.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

namespace reseda::inverse {

TracedEstimates::TracedEstimates(const diffusion::Denoiser& denoiser, const at::Tensor& x, double t) {
  const c10::InferenceMode no_inference(false);
  const c10::AutoGradMode recording(true);
  // Tensors made in inference mode cannot be recorded; their copies can.
  x_ = x.detach().clone().requires_grad_(true);
  const diffusion::Estimates found = denoiser(x_, t, {});
  x0_ = found.x0;
  values_ = {.x0 = found.x0.detach(), .eps = found.eps.detach()};
  if (found.variance_share.defined()) values_.variance_share = found.variance_share.detach();
}

at::Tensor TracedEstimates::pull_back(const at::Tensor& v) const {
  const c10::InferenceMode no_inference(false);
  if (!x0_.requires_grad()) return at::zeros_like(x_).detach();
  const at::Tensor gradient =
      torch::autograd::grad({x0_}, {x_}, {v.detach().clone()}, /*retain_graph=*/false, /*create_graph=*/false,
                            /*allow_unused=*/true)[0];
  return gradient.defined() ? gradient : at::zeros_like(x_).detach();
}

}  // namespace reseda::inverse
