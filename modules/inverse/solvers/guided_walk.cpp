#include "modules/inverse/solvers/guided_walk.hpp"

#include <ATen/ATen.h>

#include <cmath>

namespace reseda::inverse {

at::Tensor guided_walk(const char* name, const SolverTimesConfig& config, const std::string& init, const at::Tensor& y,
                       const at::Tensor& start, const ForwardOperator& op, const diffusion::Process& process,
                       SolveContext& context, const std::function<Landing(const GuidedJump&)>& jump) {
  const std::vector<SolverTime> times = solver_times(config, process);
  SolverRun run(name, static_cast<std::int64_t>(times.size()), y, context);
  at::Tensor x = first_state(init, y, start, op, times.front(), run);
  for (std::size_t i = 0; i < times.size(); ++i) {
    const SolverTime to = i + 1 < times.size() ? times[i + 1] : kClean;
    const Landing landing = jump({static_cast<std::int64_t>(i), times[i], to, x, run});
    x = landing.x;
    run.after({.step = static_cast<std::int64_t>(i),
               .t = times[i].t,
               .residual = landing.residual,
               .estimate = landing.x0,
               .state = x});
  }
  return x;
}

at::Tensor ddim_jump(const GuidedJump& jump, const at::Tensor& x0, const at::Tensor& eps, double eta) {
  const JumpWeights weights = jump_weights(jump.from, jump.to, eta);
  const at::Tensor z = jump.run.draw("predictor", jump.step, jump.x);
  return at::mul(x0, jump.to.a).add_(eps, weights.eps).add_(z, weights.noise);
}

void require_eta(double eta) {
  RESEDA_REQUIRE(eta >= 0 && eta <= 1, Errc::kUsage, "solver.eta must be in [0, 1], got ", eta);
}

void require_not_negative(const char* key, double value) {
  RESEDA_REQUIRE(std::isfinite(value) && value >= 0, Errc::kUsage, "solver.", key, " must be >= 0, got ", value);
}

void require_pseudo_inverse(const char* name, const ForwardOperator& op) {
  RESEDA_REQUIRE(op.is_linear() && op.has_pseudo_inverse(), Errc::kUsage, "solver ", name,
                 " needs a linear operator with a pseudo-inverse");
}

}  // namespace reseda::inverse
