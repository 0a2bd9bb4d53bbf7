#include "modules/diffusion/clipped_denoiser.hpp"

#include <ATen/ATen.h>

namespace reseda::diffusion {

Estimates ClippedDenoiser::operator()(const at::Tensor& x, double t, const Condition& condition) const {
  const Estimates found = inner_(x, t, condition);
  const at::Tensor x0 = found.x0.clamp(-limit_, limit_);
  const at::Tensor eps =
      derives_noise_ ? estimates_from(Target::kX0, x0, x, condition.y, process_.at(t), {}).eps : found.eps;
  return {.x0 = x0, .eps = eps, .variance_share = found.variance_share};
}

}  // namespace reseda::diffusion
