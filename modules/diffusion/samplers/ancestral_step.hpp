#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "modules/diffusion/process.hpp"

namespace reseda::diffusion {

/// The posterior q(x' | x, x0, y) of a bridge from one time to a cleaner one, written ', as the Markov chain of the
/// shifted state x - b y has it. With A = a / a':
///   mean = k x + (a' - k a) x0 + (b' - k b) y,   k = A c'^2 / c^2
///   forward = c^2 - A^2 c'^2, the variance that the step x' -> x adds;   posterior = c'^2 forward / c^2
/// For a variance preserving process forward is beta and posterior is betatilde of the step.
/// Source: Ho et al. 2020, "Denoising Diffusion Probabilistic Models", Eqs. (6), (7).
struct AncestralStep {
  Coef state, x0, y;
  Coef posterior, forward;
};
/// @throws Error{kUsage} naming the sampler where the noise does not grow from ' to the other time
AncestralStep ancestral_step(const Marginal& from, const Marginal& to, const char* sampler);

/// The variance of a reverse step.
enum class StepVariance {
  kFixedSmall,   ///< posterior
  kFixedLarge,   ///< forward
  kLearnedRange  ///< exp(s ln forward + (1 - s) ln posterior), s as the network says for every pixel
};
/// @throws Error{kUsage} unless it is fixed_small, fixed_large or learned_range
StepVariance parse_step_variance(const std::string& name);

/// The step to the clean end as the variances need it: there the posterior has none, so that where it counts (the low
/// end of kLearnedRange, and kFixedLarge) official tables have the posterior's variance of the step before.
AncestralStep last_step(StepVariance variance, AncestralStep step, const Coef& posterior_before);

/// @param share  s of kLearnedRange, the state's shape; not looked at else
/// @return       the variance, of the state's shape, or a scalar coefficient's shape where it is fixed
/// Source: Nichol & Dhariwal 2021, "Improved Denoising Diffusion Probabilistic Models", Eq. (15).
Coef step_variance(StepVariance variance, const AncestralStep& step, const at::Tensor& share);

}  // namespace reseda::diffusion
