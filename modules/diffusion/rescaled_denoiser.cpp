#include "modules/diffusion/rescaled_denoiser.hpp"

#include <ATen/ATen.h>

#include "modules/diffusion/time_grid.hpp"

namespace reseda::diffusion {

Estimates RescaledDenoiser::operator()(const at::Tensor& x, double t, const Condition& condition) const {
  const Marginal outer = outer_process_.at(t);
  const double ratio = outer.c.scalar() / outer.a.scalar();
  const double time = inner_process_.nearest_time(time_of_noise_to_signal(inner_process_, ratio));
  const double scale = inner_process_.at(time).a.scalar() / outer.a.scalar();
  const at::Tensor x0 = inner_(x * scale, time, condition).x0;
  const double c = outer.c.scalar();
  return {x0, c > 0 ? (x - outer.a * x0) / c : at::zeros_like(x0)};
}

}  // namespace reseda::diffusion
