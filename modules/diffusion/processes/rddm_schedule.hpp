#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace reseda::diffusion {

/// The coefficients of RDDM as its network was trained with.
///   ramp   alpha_i ~ T - i, beta_i^2 ~ i + 1, in float64 (official restoration code)
///   power  alpha and beta^2 by rddm_weights in float32 (official generation and inpainting code)
///   ddim   those of a variance preserving diffusion with cumulative product ab: abar = 1 - sqrt(ab), bbar^2 = 1 - ab
struct RddmScheduleConfig {
  std::string schedule = "ramp";
  std::int64_t steps = 1000;
  double sum_scale = 1.0;
  std::string residual = "decreased";
  std::string noise = "increased";
  double residual_power = 1.0;
  double noise_power = 1.0;
  std::string betas = "linear";
  double beta_first = 1e-4;
  double beta_last = 0.02;
  template <class V>
  void fields(V& v) {
    v("schedule", schedule, "family of the coefficients: ramp, power or ddim");
    v("steps", steps, "time steps T");
    v("sum_scale", sum_scale, "variance of the noise at the start (official default: 0.01 with a measurement, else 1)");
    v("residual", residual, "power: how the residual grows with time: decreased, increased, average or normal");
    v("noise", noise, "power: how the noise's variance grows with time");
    v("residual_power", residual_power, "power: exponent of the residual's weights");
    v("noise_power", noise_power, "power: exponent of the noise's weights");
    v("betas", betas, "ddim: linear, scaled_linear or squaredcos_cap_v2");
    v("beta_first", beta_first, "ddim: beta of the first step, but for squaredcos_cap_v2");
    v("beta_last", beta_last, "ddim: beta of the last step, but for squaredcos_cap_v2");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// Weights w_i, i = 0 .. T-1, that sum to `scale`. With u_i = i / (T - 1):
///   ramp   increased (i + 1) / N, decreased (T - i) / N, N = T (T + 1) / 2; average 1 / T; float64
///   power  increased u^ratio / sum, decreased the same reversed, average 1 / T; float32
///          normal: a Gaussian's density on [-3, 3] / sum; float64
/// @param family  ramp or power  @throws Error{kUsage} on other names
/// Official: nachifur/RDDM, src/residual_denoising_diffusion_pytorch.py, gen_coefficients. Quirk: an unknown name is
/// taken for average there.
at::Tensor rddm_weights(const std::string& family, const std::string& name, std::int64_t steps, double scale,
                        double ratio);

/// The 12 arrays that official checkpoints hold under these names, each [T] float32.
///   alphas_cumsum = sum alpha, betas2_cumsum = sum beta^2, both clipped to [0, 1]; one_minus_alphas_cumsum = 1 -
///   alphas_cumsum with 1e-6 as its last value; with ' the value before (1 at the first step), of
///   q(x' | x, x0, R) = N(c1 x + c2 R + c3 x0, v):  c1 = bbar'^2 / bbar^2, c2 = (beta^2 abar' - bbar'^2 alpha) /
///   bbar^2, c3 = beta^2 / bbar^2, v = beta^2 bbar'^2 / bbar^2; 0, 0, 1, 0 at the first step; ln max(v, 1e-20)
struct RddmSchedule {
  at::Tensor alphas, alphas_cumsum, one_minus_alphas_cumsum, betas2, betas, betas2_cumsum, betas_cumsum;
  at::Tensor posterior_mean_coef1, posterior_mean_coef2, posterior_mean_coef3, posterior_variance;
  at::Tensor posterior_log_variance_clipped;

  std::vector<std::pair<std::string, at::Tensor>> named() const;
  std::int64_t steps() const { return alphas_cumsum.size(0); }
};

/// What builds the arrays: the constructor, or the method that the official test programs of the ddim and power
/// families call afterwards. The latter differs in what nothing reads: alpha and beta^2 of the first step are those of
/// the second, and the posterior takes the second step's values as those before the first.
enum class RddmInit { kConstructor, kTest };

/// @throws Error{kUsage}
/// Source: Liu et al. 2024, "Residual Denoising Diffusion Models", Sec. 3. Official: nachifur/RDDM,
/// src/residual_denoising_diffusion_pytorch.py, ResidualDiffusion.
RddmSchedule rddm_schedule(const RddmScheduleConfig& config, RddmInit init = RddmInit::kConstructor);

}  // namespace reseda::diffusion
