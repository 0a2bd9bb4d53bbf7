#pragma once

#include <cstdint>
#include <string>

#include "modules/inverse/solver.hpp"
#include "modules/inverse/solvers/solver_times.hpp"

namespace reseda::inverse {

/// What RED-diff and its relatives have in common.
struct RedDiffConfig {
  SolverTimesConfig times{.steps = 100};
  std::string order = "descend";
  std::int64_t order_seed = 0;
  double lr = 0.1;
  std::string lr_schedule = "constant";
  double obs_weight = 1.0;
  double grad_term_weight = 0.25;
  std::string denoise_term_weight = "linear";
  double sigma_x0 = 0.0;
  std::string loss = "per_item";
  std::string init = "given";
  std::string returns = "mu";
  bool overwrite_measurement = false;
  std::int64_t group = 1;
  bool whole_groups_only = false;
  /// @throws Error{kUsage}
  void validate() const;
};

/// Minimises over mu, by Adam, with r_t = c / a, w = grad_term_weight, v = obs_weight,
///   L(mu) = v / (2 m) |y - H(x)|^2 + w rho(r_t) / n <[eps(x_t; t) - n_t], x>
///   x = mu + sigma_x0 n_0,   x_t = a x + c n_t
/// where [.] is held constant, so that the network is called without gradients:
///   g = w rho(r_t) / n (eps - n_t) - v / m J^T (y - H(x)),   J the derivative of H at x (H^T where H is linear)
/// n and m count the elements of image and measurement. `group` times share a step: the first term is their mean.
/// Draws: ("prior", 0) for init noise; ("estimate", k) = n_0 of step k and ("state", k group + j) = n_t of its time j,
/// drawn whatever sigma_x0 is.
/// @param name  of the solver, for messages
at::Tensor run_red_diff(const char* name, const RedDiffConfig& config, const at::Tensor& y, const at::Tensor& start,
                        const ForwardOperator& op, const diffusion::Process& process,
                        const diffusion::Denoiser& denoiser, SolveContext& context);

}  // namespace reseda::inverse
