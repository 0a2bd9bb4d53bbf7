#include "modules/inverse/solvers/first_guess.hpp"

#include <ATen/ATen.h>

#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::inverse {
namespace {

at::Tensor quiet_guess(const std::string& init, const at::Tensor& y, const at::Tensor& start,
                       const ForwardOperator& op) {
  if (init == "given" && start.defined()) return start;
  const at::Tensor guess = op.pseudo_inverse(y);
  return init == "zero" ? at::zeros_like(guess) : guess;
}

}  // namespace

void require_init(const std::string& init) {
  diffusion::require_choice("solver.init", init, {"given", "pseudo_inverse", "zero", "noise"});
}

at::Tensor first_guess(const std::string& init, const at::Tensor& y, const at::Tensor& start, const ForwardOperator& op,
                       const SolverRun& run) {
  const at::Tensor guess = quiet_guess(init, y, start, op);
  return init == "noise" ? run.draw("prior", 0, guess) : guess;
}

at::Tensor first_state(const std::string& init, const at::Tensor& y, const at::Tensor& start, const ForwardOperator& op,
                       const SolverTime& time, const SolverRun& run) {
  const at::Tensor guess = quiet_guess(init, y, start, op), z = run.draw("prior", 0, guess);
  return init == "noise" ? z : time.a * guess + time.c * z;
}

}  // namespace reseda::inverse
