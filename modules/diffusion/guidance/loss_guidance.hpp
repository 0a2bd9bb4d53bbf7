#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "modules/diffusion/denoiser.hpp"

namespace reseda::diffusion {

/// Where the gradient of a loss of the estimated image is taken.
enum class GradientOf {
  kState,    ///< through the network, with respect to x_t
  kEstimate  ///< with respect to x0 itself: no pass back through the network
};

/// Estimates moved against the gradient of a loss L(x0) that the restored image should have little of: a perceptual
/// distance, a segmentation's loss, the negative log-likelihood of a measurement.
///   kState:     eps' = eps + s(t) c grad_{x_t} L(x0(x_t)),   x0' = (x_t - b y - c eps') / a
///   kEstimate:  x0' = x0 - s(t) grad_{x0} L(x0),             eps' = (x_t - a x0' - b y) / c, 0 where c = 0
/// With s = 1, kState and L = -log p(y | x0) it is the posterior's score where x0 given x_t is taken as a point (DPS).
/// Works in inference mode too.
/// Source: Bansal et al. 2023, "Universal Guidance for Diffusion Models", Eqs. (6), (9).
class LossGuidance final : public Denoiser {
 public:
  using Loss = std::function<at::Tensor(const at::Tensor& x0, double t)>;  ///< [B], one value per item
  using Scale = std::function<double(double t)>;                           ///< 0: the loss is not looked at
  LossGuidance(const Denoiser& inner, Loss loss, Scale scale, GradientOf of, const Process& process)
      : inner_(inner), loss_(std::move(loss)), scale_(std::move(scale)), of_(of), process_(process) {}
  Estimates operator()(const at::Tensor& x, double t, const Condition& condition) const override;

 private:
  const Denoiser& inner_;
  Loss loss_;
  Scale scale_;
  GradientOf of_;
  const Process& process_;
};

}  // namespace reseda::diffusion
