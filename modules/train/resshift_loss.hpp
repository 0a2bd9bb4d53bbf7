#pragma once

#include <ATen/core/Tensor.h>

#include "modules/diffusion/denoiser.hpp"

namespace reseda::train {

/// Training loss of ResShift: for every item the mean square of the prediction's error, of c eps in units of c. With
/// kBound items are weighted by their step's place in the variational bound,
///   weight = k^2 / (2 s^2)   for x0 and y - x0,   (k c / a)^2 / (2 s^2)   for eps and c eps,
/// k the weight of x0 in the posterior's mean and s^2 its variance (rddm_step with eta = 1). The first step, whose
/// posterior has none, takes the variance of the second.
/// Source: Yue et al. 2023, "ResShift: Efficient Diffusion Model for Image Super-resolution by Residual Shifting",
/// Sec. 3.1. Official: zsyOAOA/ResShift, models/gaussian_diffusion.py, training_losses; weighted_mse.
class ResshiftLoss {
 public:
  enum class Weights { kEqual, kBound };
  /// @param process  a bridge with a table of steps and scalar coefficients; must outlive this
  /// @throws Error{kUsage} unless the target is x0, residual, eps or scaled_eps, or the process has no table
  ResshiftLoss(diffusion::Target target, Weights weights, const diffusion::Process& process);

  /// @param times  [B] float64 on the CPU, of the process's table   @return [B]
  at::Tensor operator()(const at::Tensor& prediction, const at::Tensor& x0, const at::Tensor& y, const at::Tensor& eps,
                        const at::Tensor& times) const;
  /// The weight of a step in the bound.
  double weight(double time) const;

 private:
  diffusion::Target target_;
  Weights weights_;
  const diffusion::Process& process_;
};

/// Mean of squares over everything but the first axis, [B].
at::Tensor mean_square(const at::Tensor& difference);

}  // namespace reseda::train
