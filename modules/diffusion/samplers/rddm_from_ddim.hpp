#pragma once

#include <ATen/core/Tensor.h>

namespace reseda::diffusion {

/// A state x = a x0 + c eps of a variance preserving diffusion seen as residual diffusion with y = 0, given eps and the
/// coefficient abar of the residual (1 - a unless another growth is asked for), nothing clipped:
///   residual = (c eps - x) / a,   x0 = x - abar residual - c eps
struct RddmFromDdimParts {
  at::Tensor residual, x0;
};
RddmFromDdimParts rddm_from_ddim_parts(double a, double c, double abar, const at::Tensor& x, const at::Tensor& eps);

}  // namespace reseda::diffusion
