#include "modules/diffusion/samplers/reverse_step.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "modules/diffusion/weighted_sum.hpp"

namespace reseda::diffusion {

at::Tensor ReverseStep::mean(const at::Tensor& state, const at::Tensor& measurement, const Estimates& estimates) const {
  return weighted_sum({{x, state}, {y, measurement}, {eps, estimates.eps}});
}

ReverseStep reverse_step(const Process& process, double t, double dt) {
  const Marginal marginal = process.at(t);
  const ForwardSde sde = forward_sde(marginal, process.rate(t));
  return {Coef(1.0 - dt * sde.f.value), Coef(-dt * sde.h.value), Coef(-dt * sde.g.value.square() / marginal.c.value),
          Coef(std::sqrt(dt) * sde.g.value)};
}

}  // namespace reseda::diffusion
