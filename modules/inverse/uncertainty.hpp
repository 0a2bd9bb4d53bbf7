#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "modules/inverse/solver.hpp"

namespace reseda::inverse {

/// Independent runs of a stochastic solver on one measurement, in batches.
/// @param y       [1,...]   @param start  [1,C,H,W] or undefined
/// @param count   K >= 1    @param batch  runs at a time, >= 1; does not change the result
/// @return        [K,C,H,W]; run k draws as the item "<item>/sample k"
/// @throws Error{kUsage}, and what the solver throws
at::Tensor posterior_samples(const Solver& solver, std::int64_t count, std::int64_t batch, const at::Tensor& y,
                             const at::Tensor& start, const ForwardOperator& op, const diffusion::Process& process,
                             const diffusion::Denoiser& denoiser, SolveContext& context);

/// Mean and standard deviation (over K - 1) of each value of samples [K,...], K >= 2.
struct PosteriorMoments {
  at::Tensor mean, deviation;
};
PosteriorMoments posterior_moments(const at::Tensor& samples);

/// How often the truth lies within the samples' central intervals: for i = 1 .. K/2 the interval from the i-th smallest
/// to the i-th largest sample of each value should hold the truth with probability 1 - 2 i / (K + 1), whatever the
/// distribution, when truth and samples come from the same posterior. Observed below nominal: overconfident.
struct Calibration {
  std::vector<double> nominal;   ///< falling
  std::vector<double> observed;  ///< share of the values whose truth is inside
  /// Mean of |observed - nominal|.
  double error() const;
};
/// @param samples  [K,...], K >= 2   @param truth  [...]
/// Source: Gneiting, Balabdaoui, Raftery 2007, "Probabilistic Forecasts, Calibration and Sharpness", Sec. 3 (ranks).
Calibration calibration(const at::Tensor& samples, const at::Tensor& truth);

}  // namespace reseda::inverse
