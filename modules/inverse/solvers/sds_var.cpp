#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "modules/diffusion/samplers/choice.hpp"
#include "modules/inverse/solvers/adam_step.hpp"
#include "modules/inverse/solvers/first_guess.hpp"
#include "modules/inverse/solvers/noise_weight.hpp"

namespace reseda::inverse {
namespace {

struct SdsVarConfig {
  SolverTimesConfig times{.steps = 100};
  double lr = 0.1;
  double grad_term_weight = 1.0;
  std::string denoise_term_weight = "linear";
  double first_sigma = 0.1;
  std::string init = "noise";
  std::string returns = "mu";
  template <class V>
  void fields(V& v) {
    times.fields(v);
    v("lr", lr, "learning rate of Adam, for image and deviation");
    v("grad_term_weight", grad_term_weight, "weight of the deviation's gradient");
    v("denoise_term_weight", denoise_term_weight, kNoiseWeightHelp);
    v("first_sigma", first_sigma, "scale of the deviation's first value, that times |N(0, 1)|");
    v("init", init, kInitHelp);
    v("returns", returns, "mu, or before_last_step: mu + sigma n_0 without the last step (official)");
  }
  void validate() const {
    times.validate();
    require_init(init);
    require_noise_weight(denoise_term_weight);
    diffusion::require_choice("solver.returns", returns, {"mu", "before_last_step"});
    RESEDA_REQUIRE(std::isfinite(lr) && lr > 0, Errc::kUsage, "solver.lr must be > 0, got ", lr);
    RESEDA_REQUIRE(std::isfinite(grad_term_weight) && grad_term_weight >= 0, Errc::kUsage,
                   "solver.grad_term_weight must be >= 0, got ", grad_term_weight);
    RESEDA_REQUIRE(std::isfinite(first_sigma) && first_sigma >= 0, Errc::kUsage,
                   "solver.first_sigma must be >= 0, got ", first_sigma);
  }
};

/// Score distillation with a deviation of its own per item: q = N(mu, sigma^2 I), both moved by Adam without looking at
/// the measurement. With rho = the weight of r = c / a and h = sqrt(1 + sigma^2 / rho^2),
///   x = mu + |sigma| n_0,   x_t = a x + c n_t
///   g_mu = (eps(x_t; t) - n_t / h) / n,   g_sigma = 2 w / h sigma <n_t, eps - n_t / h>,   n elements of an item
/// Draws: ("prior", 0) for init noise; ("deviation", 0) [B]; ("estimate", k) = n_0, ("state", k) = n_t of step k.
/// Official: NVlabs/RED-diff, algos/sds_var.py, which has one sigma for the whole batch: equal for a batch of one.
class SdsVar final : public Solver {
 public:
  explicit SdsVar(SdsVarConfig config) : config_(std::move(config)) {}

  at::Tensor solve(const at::Tensor& y, const at::Tensor& start, const ForwardOperator& op,
                   const diffusion::Process& process, const diffusion::Denoiser& denoiser,
                   SolveContext& context) const override {
    const c10::NoGradGuard no_gradients;
    const std::vector<SolverTime> times = solver_times(config_.times, process);
    const auto steps = static_cast<std::int64_t>(times.size());
    SolverRun run("sds_var", steps, y, context);
    at::Tensor mu = first_guess(config_.init, y, start, op, run), x;
    const double elements = static_cast<double>(mu.numel()) / static_cast<double>(mu.size(0));
    at::Tensor sigma = config_.first_sigma * run.draw("deviation", 0, at::empty({mu.size(0)}, mu.options())).abs();
    AdamStep adam_mu, adam_sigma;
    for (std::int64_t k = 0; k < steps; ++k) {
      const SolverTime& time = times[static_cast<std::size_t>(k)];
      x = mu + per_item(sigma.abs(), mu) * run.draw("estimate", k, mu);
      const at::Tensor n = run.draw("state", k, mu);
      const at::Tensor eps = denoiser(time.a * x + time.c * n, time.t, {}).eps;
      const double rho = noise_weight(config_.denoise_term_weight, time.ratio());
      const at::Tensor shrink = (1.0 + (sigma / rho).square()).rsqrt();
      const at::Tensor pull = eps - per_item(shrink, n) * n;
      const at::Tensor mu_gradient = pull / elements;
      const at::Tensor sigma_gradient = 2.0 * config_.grad_term_weight * shrink * sigma * (n * pull).flatten(1).sum(1);
      SolverStep step{.step = k, .t = time.t, .residual = item_norm(y - op.apply(x))};
      step.loss = (mu_gradient * mu).flatten(1).sum(1) + sigma_gradient * sigma;
      mu = adam_mu(mu, mu_gradient, config_.lr);
      sigma = adam_sigma(sigma, sigma_gradient, config_.lr);
      step.estimate = x;
      step.state = mu;
      step.gradient = mu_gradient;
      run.after(step);
    }
    return config_.returns == "mu" ? mu : x;
  }
  std::int64_t network_calls() const override { return config_.times.calls(); }

 private:
  SdsVarConfig config_;
};

}  // namespace

const SolverEntry& solver_entry_sds_var() {
  static const auto entry = make_component<Solver, SdsVar, SdsVarConfig>(
      "sds_var", "score distillation of an image with its deviation, without y");
  return entry;
}

}  // namespace reseda::inverse
