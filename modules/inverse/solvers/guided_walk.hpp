#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

#include "modules/inverse/solvers/first_guess.hpp"
#include "modules/inverse/solvers/solver_run.hpp"
#include "modules/inverse/solvers/solver_times.hpp"

namespace reseda::inverse {

/// One jump of a guided sampler, from the state x at one time to the next; the last goes to kClean.
struct GuidedJump {
  std::int64_t step;
  SolverTime from, to;
  const at::Tensor& x;
  const SolverRun& run;
};

/// What a jump leads to.
struct Landing {
  at::Tensor x;         ///< state at the next time
  at::Tensor x0;        ///< estimate of the image it went on from
  at::Tensor residual;  ///< [B] |y - H(x0)| of the network's own estimate
};

/// Walks the times downwards from first_state(init) and returns the last state. Draws: ("prior", 0) and those of
/// `jump`. @throws what solver_times() and SolverRun::after() throw
at::Tensor guided_walk(const char* name, const SolverTimesConfig& times, const std::string& init, const at::Tensor& y,
                       const at::Tensor& start, const ForwardOperator& op, const diffusion::Process& process,
                       SolveContext& context, const std::function<Landing(const GuidedJump&)>& jump);

/// a' x0 + w eps + s z with DDIM's weights, z drawn as ("predictor", step) whatever eta is.
at::Tensor ddim_jump(const GuidedJump& jump, const at::Tensor& x0, const at::Tensor& eps, double eta);

/// @throws Error{kUsage} unless eta is in [0, 1]
void require_eta(double eta);
/// @throws Error{kUsage} unless the value of the key solver.<key> is finite and >= 0
void require_not_negative(const char* key, double value);
/// @throws Error{kUsage} naming the solver unless the operator is linear and has a pseudo-inverse
void require_pseudo_inverse(const char* name, const ForwardOperator& op);

}  // namespace reseda::inverse
