#pragma once

#include <ATen/core/Tensor.h>

#include "modules/diffusion/processes/sb_ve.hpp"

namespace reseda::diffusion {

/// Schedule of the Schroedinger bridge as the official code computes it, in float32 and operation by operation:
///   s(t) = sqrt(c (k^{2t} - 1) / (2 ln k)),  S = s(1),  r(t) = sqrt(max(S^2 - s^2(t), 0) + eps)
/// Nothing is left at t = 1: the official code takes the difference there too, whose last bit depends on the machine's
/// pow; it is 0 for the default k and c, and makes r(1) NaN for others, such as (2.4, 0.3).
/// @param t  [N] float32 on the CPU
struct SbSchedule {
  at::Tensor s, r;   ///< [N] float32
  at::Tensor total;  ///< S, zero-dimensional float32
};
SbSchedule sb_schedule(const SbVeConfig& config, const at::Tensor& t);

/// Weights of steps n = 1 .. N-1 from t[n-1] to t[n], each [N-1] float32.
struct SbWeights {
  at::Tensor state, x0, y, noise;
};

/// Probability flow with x0 held, in the official places of eps = 1e-8:
///   state = s r / (s' r' + eps),   ' is the previous time
///   x0 = (r^2 - r' s r / (s' + eps)) / (S^2 + eps),   y = (s^2 - s' s r / (r' + eps)) / (S^2 + eps)
/// Quirk: the first step's weights are near +-2250 and sum to 1.02, a gain on y that later steps shrink to 1e-4.
SbWeights sb_ode_weights(const SbSchedule& schedule);
/// Stochastic step:  state = s^2 / (s'^2 + eps),  x0 = 1 - state,  noise = s sqrt(x0), 0 in the last step.
SbWeights sb_sde_weights(const SbSchedule& schedule);

}  // namespace reseda::diffusion
