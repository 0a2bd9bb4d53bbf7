#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <utility>

#include "modules/diffusion/denoiser.hpp"

namespace reseda::diffusion {

/// The gradient of a log-probability ln p(x | t) by x, shape of x; t as network_input_times gives it.
using LogGradient = std::function<at::Tensor(const at::Tensor& x, const at::Tensor& t)>;

/// The gradient by automatic differentiation. Works in inference mode too; networks' parameters get no gradient.
/// @param log_probability  (x, t) -> [B], differentiable by x; every item's depends on that item alone
LogGradient log_gradient(std::function<at::Tensor(const at::Tensor& x, const at::Tensor& t)> log_probability);

/// Estimates of another denoiser moved towards what a classifier, say, looks for. With g = scale grad ln p(x | t),
///   eps <- eps - c g,   x0 <- (x - b y - c eps) / a
/// which adds g to the score. What the sampler ddpm_ancestral needs for its own way stands beside it: the estimate of
/// x0 as it was, and g.
/// Source: Dhariwal & Nichol 2021, "Diffusion Models Beat GANs on Image Synthesis", Algorithms 1, 2. Official:
/// openai/guided-diffusion, guided_diffusion/gaussian_diffusion.py, condition_score, condition_mean.
class GuidedDenoiser final : public Denoiser {
 public:
  GuidedDenoiser(const Denoiser& inner, LogGradient gradient, double scale, const Process& process)
      : inner_(inner), gradient_(std::move(gradient)), scale_(scale), process_(process) {}
  /// @throws Error{kInternal} where a is 0
  Estimates operator()(const at::Tensor& x, double t, const Condition& condition) const override;

 private:
  const Denoiser& inner_;
  LogGradient gradient_;
  double scale_;
  const Process& process_;
};

}  // namespace reseda::diffusion
