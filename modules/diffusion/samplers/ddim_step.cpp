#include "modules/diffusion/samplers/ddim_step.hpp"

#include <ATen/ATen.h>

namespace reseda::diffusion {

DdimStep ddim_step(const Marginal& from, const Marginal& to, double eta) {
  if (eta == 0.0) return {to.a, to.b, to.c, 0.0};
  const at::Tensor &a = from.a.value, &c = from.c.value, &a_to = to.a.value, &c_to = to.c.value;
  const at::Tensor known = at::where(c == 0, at::zeros_like(c), a * c_to / (a_to * c)).clamp(0.0, 1.0).square();
  const at::Tensor fresh = eta * eta * (1.0 - known);
  return {to.a, to.b, Coef(c_to * (1.0 - fresh).sqrt()), Coef(c_to * fresh.sqrt())};
}

}  // namespace reseda::diffusion
