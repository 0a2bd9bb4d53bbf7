#include "modules/inverse/solvers/red_diff_run.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "modules/diffusion/samplers/choice.hpp"
#include "modules/inverse/solvers/adam_step.hpp"
#include "modules/inverse/solvers/first_guess.hpp"
#include "modules/inverse/solvers/noise_weight.hpp"

namespace reseda::inverse {
namespace {

void require_weight(const char* key, double value) {
  RESEDA_REQUIRE(std::isfinite(value) && value >= 0, Errc::kUsage, "solver.", key, " must be >= 0, got ", value);
}

/// The times of the calls in the order of the run.
std::vector<SolverTime> ordered_times(const RedDiffConfig& config, const diffusion::Process& process) {
  std::vector<SolverTime> times = solver_times(config.times, process);
  if (config.order == "ascend") std::reverse(times.begin(), times.end());
  if (config.order == "random") {
    Chooser chooser(static_cast<std::uint64_t>(config.order_seed), "red_diff", "order", 0);
    for (std::size_t i = times.size(); i > 1; --i)
      std::swap(times[i - 1], times[static_cast<std::size_t>(chooser.below(static_cast<std::int64_t>(i)))]);
  }
  if (config.whole_groups_only) {
    const std::int64_t kept = config.times.steps / config.group * config.group;
    times.resize(std::min(times.size(), static_cast<std::size_t>(kept)));
  }
  return times;
}

/// Divisors n and m of the two terms.
struct Divisors {
  double prior = 1.0, data = 1.0;
};
Divisors divisors(const std::string& loss, const at::Tensor& x, const at::Tensor& y) {
  if (loss == "sum") return {};
  const double items = loss == "per_item" ? static_cast<double>(x.size(0)) : 1.0;
  return {static_cast<double>(x.numel()) / items, static_cast<double>(y.numel()) / items};
}

/// <u, x> per item, real.
at::Tensor item_product(const at::Tensor& u, const at::Tensor& x) {
  const at::Tensor product = u.is_complex() ? at::real(u * x.conj()) : u * x;
  return product.flatten(1).sum(1);
}

}  // namespace

void RedDiffConfig::validate() const {
  times.validate();
  diffusion::require_choice("solver.order", order, {"descend", "ascend", "random"});
  diffusion::require_choice("solver.lr_schedule", lr_schedule, {"constant", "cosine"});
  diffusion::require_choice("solver.loss", loss, {"per_item", "official", "sum"});
  diffusion::require_choice("solver.returns", returns, {"mu", "before_last_step"});
  require_init(init);
  require_noise_weight(denoise_term_weight);
  RESEDA_REQUIRE(std::isfinite(lr) && lr > 0, Errc::kUsage, "solver.lr must be > 0, got ", lr);
  require_weight("obs_weight", obs_weight);
  require_weight("grad_term_weight", grad_term_weight);
  require_weight("sigma_x0", sigma_x0);
  RESEDA_REQUIRE(group >= 1 && group <= times.steps, Errc::kUsage, "solver.group must be in 1 to solver.steps, got ",
                 group);
}

at::Tensor run_red_diff(const char* name, const RedDiffConfig& config, const at::Tensor& y, const at::Tensor& start,
                        const ForwardOperator& op, const diffusion::Process& process,
                        const diffusion::Denoiser& denoiser, SolveContext& context) {
  const c10::NoGradGuard no_gradients;
  const std::vector<SolverTime> times = ordered_times(config, process);
  const auto calls = static_cast<std::int64_t>(times.size()), steps = (calls + config.group - 1) / config.group;
  SolverRun run(name, steps, y, context);
  at::Tensor mu = first_guess(config.init, y, start, op, run), x;
  const bool overwrite = config.overwrite_measurement && mu.numel() == y.numel();
  const Divisors over = divisors(config.loss, mu, y);
  AdamStep adam;
  for (std::int64_t k = 0; k < steps; ++k) {
    x = mu + config.sigma_x0 * run.draw("estimate", k, mu);
    const std::int64_t first = k * config.group, last = std::min(first + config.group, calls);
    at::Tensor pull = at::zeros_like(mu);
    for (std::int64_t j = first; j < last; ++j) {
      const SolverTime& time = times[static_cast<std::size_t>(j)];
      const at::Tensor n = run.draw("state", j, mu);
      const at::Tensor eps = denoiser(time.a * x + time.c * n, time.t, {}).eps;
      const double weight = config.grad_term_weight * noise_weight(config.denoise_term_weight, time.ratio());
      pull.add_(eps - n, weight / (over.prior * static_cast<double>(last - first)));
    }
    const at::Tensor error = (overwrite ? mu.reshape(y.sizes()) : y) - op.apply(x);
    at::Tensor gradient = pull;
    if (config.obs_weight > 0) gradient = at::sub(pull, op.vjp(x, error), config.obs_weight / over.data);
    SolverStep step{.step = k, .t = times[static_cast<std::size_t>(first)].t, .residual = item_norm(error)};
    step.loss = item_product(pull, x) + step.residual.square() * (0.5 * config.obs_weight / over.data);
    mu = adam(mu, gradient, scheduled_rate(config.lr, config.lr_schedule, k, steps));
    step.estimate = x;
    step.state = mu;
    step.gradient = gradient;
    run.after(step);
  }
  return config.returns == "mu" ? mu : x;
}

}  // namespace reseda::inverse
