#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>
#include <vector>

#include "modules/inverse/solver.hpp"

namespace reseda::inverse {

/// The running reports of one call of solve(): hands each step on, and ends a run that has diverged. A run has diverged
/// when a residual or the last state is not finite, or when the residual of an item is larger than ever before and
/// exceeds 1000 max(|y|, the first residual, sqrt(elements of y)).
class SolverRun {
 public:
  /// @param total  steps of the run, > 0
  SolverRun(const char* solver, std::int64_t total, const at::Tensor& y, SolveContext& context);
  /// Draws noise of the shape and type of `like`.
  at::Tensor draw(std::string_view stream, std::int64_t step, const at::Tensor& like) const;
  /// To be called after each step. @throws Error{kNumeric} naming item, step and the residuals so far,
  /// Error{kInterrupted} when the caller asked to stop
  void after(const SolverStep& step);

 private:
  void look_for_divergence(std::int64_t done) const;

  const char* solver_;
  std::int64_t total_;
  at::Tensor y_norm_;
  SolveContext& context_;
  std::vector<at::Tensor> residuals_;
};

}  // namespace reseda::inverse
