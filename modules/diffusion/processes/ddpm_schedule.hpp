#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace reseda::diffusion {

/// The noise schedule of a variance preserving diffusion.
struct DdpmScheduleConfig {
  std::string schedule = "linear";
  std::int64_t steps = 1000;
  double beta_first = 1e-4;
  double beta_last = 0.02;
  std::int64_t beta_steps = 0;
  bool single = false;
  std::string respacing = "";
  template <class V>
  void fields(V& v) {
    v("schedule", schedule, "linear, cosine, quad, scaled_linear (the same as quad), const, jsd or sigmoid");
    v("steps", steps, "time steps T that the network was trained with");
    v("beta_first", beta_first, "beta of the first step, but for cosine, const and jsd");
    v("beta_last", beta_last, "beta of the last step, of every step for const, but for cosine and jsd");
    v("beta_steps", beta_steps,
      "steps for which these two are meant: they are multiplied by beta_steps / steps (official guided diffusion: "
      "1000); 0 leaves them");
    v("single", single, "whether beta and 1 - beta are rounded to float32, as in official RED-diff");
    v("respacing", respacing,
      "steps that are kept: counts per section of equal length such as 250 or 10,15,20, or ddimN for N steps of one "
      "stride from the first on; empty keeps all");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// The arrays of a schedule, [steps] float64, after respacing: a step that is kept does the work of those left out
/// before it, beta = 1 - abar / abar of the step kept before.
struct DdpmSchedule {
  at::Tensor betas, alphas_cumprod;
  std::vector<std::int64_t> kept;  ///< the steps' numbers before respacing, which the network knows
};

/// With u_i = i / (T - 1), i = 0 .. T-1, and f(u) = cos^2((u + 0.008) / 1.008 pi / 2):
///   linear   beta even from beta_first to beta_last          quad     sqrt(beta) even between their roots
///   cosine   beta_i = min(1 - f((i+1)/T) / f(i/T), 0.999)    const    beta_last
///   jsd      beta_i = 1 / (T - i)                            sigmoid  between them by 1 / (1 + exp(6 - 12 u))
/// jsd ends with beta = 1, no signal at all.
/// @throws Error{kUsage}
/// Source: Ho et al. 2020, "Denoising Diffusion Probabilistic Models"; Nichol & Dhariwal 2021, "Improved Denoising
/// Diffusion Probabilistic Models"; scaled_linear: Rombach et al. 2022. Official: openai/guided-diffusion,
/// guided_diffusion/gaussian_diffusion.py, respace.py; NVlabs/RED-diff, models/diffusion.py.
DdpmSchedule ddpm_schedule(const DdpmScheduleConfig& config);

/// The steps of T that a respacing keeps, rising. In a section of n steps of which k are kept these are its first one
/// plus j (n - 1) / (k - 1), j = 0 .. k-1, added up in float64 and rounded half to even; the first sections are one
/// step longer where T does not divide.
/// @throws Error{kUsage} where a section has fewer steps than are to be kept, or no stride gives N of ddimN
/// Official: openai/guided-diffusion, guided_diffusion/respace.py, space_timesteps.
std::vector<std::int64_t> space_timesteps(std::int64_t steps, const std::string& respacing);

}  // namespace reseda::diffusion
