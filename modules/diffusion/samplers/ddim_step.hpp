#pragma once

#include <ATen/core/Tensor.h>

#include "modules/diffusion/process.hpp"

namespace reseda::diffusion {

/// Weights of a jump from one time of a bridge to a cleaner one, given estimates of x0 and eps there:
///   x' = a' x0 + b' y + sqrt(c'^2 - s^2) eps + s z,   s = eta c' sqrt(1 - (a c' / (a' c))^2)
/// eta = 0 follows the probability flow with x0 and y held, eta = 1 is the posterior of the Markov process. From a time
/// without noise (c = 0) or signal (a <= 0) nothing is known of the next eps: eta = 1 then draws all of it anew.
/// Source: Song et al. 2021, "Denoising Diffusion Implicit Models", Eqs. (12) and (16), after the shift x - b y.
struct DdimStep {
  Coef x0, y, eps, noise;
};
DdimStep ddim_step(const Marginal& from, const Marginal& to, double eta);

}  // namespace reseda::diffusion
