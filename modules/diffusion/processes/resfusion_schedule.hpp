#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace reseda::diffusion {

/// The noise schedule of Resfusion. linear_pro and cosine_pro end where sqrt(ahat) = 1/2.
struct ResfusionScheduleConfig {
  std::string schedule = "linear_pro";
  std::int64_t steps = 12;
  double beta_first = 1e-4;
  double beta_last = 0.02;
  double offset = 0.008;
  template <class V>
  void fields(V& v) {
    v("schedule", schedule, "linear_pro, cosine_pro (both cut where sqrt(ahat) is 1/2), linear or cosine");
    v("steps", steps, "nominal number of steps T, of which the first T' are used");
    v("beta_first", beta_first, "linear: beta of the first step");
    v("beta_last", beta_last, "linear: beta of the last step");
    v("offset", offset, "cosine: offset s of the angle");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// The arrays of the schedule, each [N] float32, N = T or the length after the cut.
///   linear_pro  beta even from 1e-4 k to 0.02 k, k = 1000 / T    linear  beta even from beta_first to beta_last
///   cosine_pro  beta_i = min(1 - f((i+1)/T) / f(i/T), 0.999), f(u) = cos^2((u + 0.008) / 1.008 pi/2)
///   cosine      ahat_i = f(i/T) with `offset`, beta_i = 1 - ahat_i / ahat_{i-1}, beta_0 = 0
///   ahat = prod (1 - beta),  ahat' = ahat of the step before (the first's own at the first),  betahat = (1 - ahat') /
///   (1 - ahat) beta
/// Cut of the first two: let i be the first step with sqrt(ahat) <= 1/2. When it lies more than 0.01 below, step i is
/// replaced by one with ahat = 1/4 and the rest dropped; then every beta is 1 - alpha again.
struct ResfusionSchedule {
  at::Tensor alphas_hat, alphas, betas, betas_hat, alphas_hat_before;
  std::int64_t used = 0;  ///< T' = 1 + argmin |sqrt(ahat) - 1/2|: sampling starts at index T' - 1
};

/// @throws Error{kUsage}, also when a beta reaches 1 within the first T' steps (linear_pro below 7 steps)
/// Source: Shi et al. 2024, "Resfusion: Denoising Diffusion Probabilistic Models for Image Restoration Based on Prior
/// Residual Noise", Sec. 3. Official: nkicsl/Resfusion, variance_scheduler/.
/// Quirk: the official search for the cut is binary over values that are not ordered below 10 steps; a scan finds the
/// same step from 10 on.
ResfusionSchedule resfusion_schedule(const ResfusionScheduleConfig& config);

}  // namespace reseda::diffusion
