#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "modules/diffusion/sampler.hpp"

namespace reseda::diffusion {

/// How a step of residual diffusion uses its estimates. Both are the same where x = A x0 + b R + c eps holds for them;
/// with a clipped x0 or R it does not, and each has its own result.
///   kRelative  moves the state by what R and eps change (official use_pred_noise; Resfusion's epsilon mode)
///   kMixed     shrinks the state and fills up with x0 and R (official use_x_start, p_sample; Resfusion's other modes)
enum class RddmUpdate { kRelative, kMixed };
RddmUpdate parse_rddm_update(const std::string& name);

/// Weights of a jump to a cleaner time of a bridge in its residual form x = A x0 + b R + c eps, A = a + b, with ' at
/// the cleaner time and z fresh noise:
///   relative  x' = (A'/A) x + (b' - b A'/A) R + (sqrt(c'^2 - s^2) - c A'/A) eps + s z
///   mixed     x' = k x + (A' - k A) x0 + (b' - k b) R + s z,   k = sqrt(c'^2 - s^2) / c
///   s^2 = eta c'^2 (1 - (c' A / (c A'))^2), linear in eta; eta = 1 is the posterior of the chain that knows R
/// @throws Error{kUsage} for eta > 0 where the noise does not grow from ' to the other time
/// Source: Liu et al. 2024, "Residual Denoising Diffusion Models", Sec. 3; the general A makes it Resfusion's step too.
/// Official: nachifur/RDDM, src/residual_denoising_diffusion_pytorch.py, ddim_sample, p_sample.
struct RddmStep {
  Coef state, x0, residual, eps, noise;
};
RddmStep rddm_step(RddmUpdate update, const Marginal& from, const Marginal& to, double eta);

/// Which part of the degradation a step takes away; the others' weights are left out.
enum class RddmPart { kBoth, kResidual, kNoise };

/// One pass of a sampler of residual diffusion.
struct RddmPass {
  const char* sampler;        ///< whose name messages give
  std::vector<double> times;  ///< falling; a step goes from each to the next, the last one to the clean end
  RddmUpdate update = RddmUpdate::kRelative;
  double eta = 0.0;
  double noise_scale = 1.0;  ///< factor on the fresh noise
  RddmPart part = RddmPart::kBoth;
  bool ends_on_x0 = true;            ///< the result is the last estimate of x0, not the state of the last step
  bool draws_last = false;           ///< draw noise for the last step too, where it has no weight
  std::int64_t done = 0, total = 0;  ///< steps before this pass, and of the whole run
};

/// Runs a pass from the state x: estimates at each time, with the estimate of x0 before in Condition::x0_before.
/// Draws: ("predictor", done + i) in step i where eta and noise_scale are > 0, before the network is called.
/// @throws Error{kUsage} for eta > 0 on a process whose noise does not grow towards its start, such as a pinned bridge
at::Tensor run_rddm_pass(const RddmPass& pass, at::Tensor x, const at::Tensor& y, const Process& process,
                         const Denoiser& denoiser, SampleContext& context);

/// Official times of `steps` network calls: with T steps of the process, whole(linspace(-1, T - 1, steps + 1)) in
/// float32 without its first value, as times (i + 1) / T, falling; without a table even in (0, t_start].
/// @throws Error{kUsage} where the process has fewer steps, naming the sampler
std::vector<double> rddm_times(const Process& process, std::int64_t steps, const char* sampler);
/// The same for listed indices, falling.
std::vector<double> rddm_times(const Process& process, const std::vector<std::int64_t>& indices, const char* sampler);

}  // namespace reseda::diffusion
