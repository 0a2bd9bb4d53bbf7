#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "modules/inverse/solvers/solver_run.hpp"
#include "modules/inverse/solvers/solver_times.hpp"

namespace reseda::inverse {

inline constexpr const char* kInitHelp =
    "first guess: given (what the caller hands in, H^+ y where that is nothing), pseudo_inverse, zero or noise";

/// @throws Error{kUsage} unless init is given, pseudo_inverse, zero or noise
void require_init(const std::string& init);

/// The image a solver begins with, [B,C,H,W]; may share memory with `start` or y. Draws: ("prior", 0) for noise.
at::Tensor first_guess(const std::string& init, const at::Tensor& y, const at::Tensor& start, const ForwardOperator& op,
                       const SolverRun& run);

/// The state a walk down the times begins with: a x + c z of the first guess x, or z for init noise.
/// Draws: ("prior", 0).
at::Tensor first_state(const std::string& init, const at::Tensor& y, const at::Tensor& start, const ForwardOperator& op,
                       const SolverTime& time, const SolverRun& run);

}  // namespace reseda::inverse
