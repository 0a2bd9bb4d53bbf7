#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "modules/diffusion/clipped_denoiser.hpp"
#include "modules/diffusion/samplers/ancestral_step.hpp"
#include "modules/diffusion/samplers/choice.hpp"
#include "modules/inverse/solvers/guided_walk.hpp"
#include "modules/inverse/solvers/traced_estimates.hpp"

namespace reseda::inverse {
namespace {

struct DpsConfig {
  SolverTimesConfig times{.steps = 1000};
  std::string variance = "eta";
  double eta = 1.0;
  double scale = 0.3;
  std::string step = "norm";
  double clip = 1.0;
  std::string init = "noise";
  template <class V>
  void fields(V& v) {
    times.fields(v);
    v("variance", variance, "of the fresh noise: eta, or learned_range as the network says (original DPS)");
    v("eta", eta, "share of fresh noise: 0 deterministic, 1 ancestral");
    v("scale", scale, "step size zeta of the measurement's gradient");
    v("step", step,
      "norm: zeta grad |r| (DPS); squared_norm: zeta / |r| grad |r|^2 = 2 zeta grad |r| (RED-diff, original); "
      "weighted: a a' grad |r|^2, whatever zeta (RED-diff, not original)");
    v("clip", clip, "limit to which the estimate of x0 is clipped; 0 does not clip (RED-diff)");
    v("init", init, "noise (DPS); given (RED-diff), pseudo_inverse or zero: that image noised first");
  }
  void validate() const {
    times.validate();
    require_eta(eta);
    require_init(init);
    require_not_negative("scale", scale);
    require_not_negative("clip", clip);
    diffusion::require_choice("solver.variance", variance, {"eta", "learned_range"});
    diffusion::require_choice("solver.step", step, {"norm", "squared_norm", "weighted"});
  }
};

/// Diffusion posterior sampling: DDIM's jump, then a step along the gradient through the network of the residual
/// r = y - H(x0(x_t)), with |r| per item:
///   x' = a' x0 + sqrt(c'^2 - s^2) eps + s z - zeta grad_{x_t} |r|
/// or, with variance learned_range, the ancestral step with the network's own variance, see diffusion::ancestral_step,
/// in place of DDIM's; the last has no noise. The clip is part of x0(x_t): where it acts, the gradient is 0. The step
/// belongs to the chain of 1000 steps; with few a larger zeta is needed.
/// Draws: ("prior", 0), ("predictor", k) in every step k.
/// Source: Chung et al. 2023, "Diffusion Posterior Sampling for General Noisy Inverse Problems", Algorithm 1. Official:
/// DPS2022/diffusion-posterior-sampling, guided_diffusion/condition_methods.py (variance: learned_range), which divides
/// by the norm of the whole batch; NVlabs/RED-diff, algos/dps.py (step: squared_norm, clip: 0, init: given).
class Dps final : public Solver {
 public:
  explicit Dps(DpsConfig config) : config_(std::move(config)) {}

  at::Tensor solve(const at::Tensor& y, const at::Tensor& start, const ForwardOperator& op,
                   const diffusion::Process& process, const diffusion::Denoiser& denoiser,
                   SolveContext& context) const override {
    const c10::NoGradGuard no_gradients;
    const diffusion::ClippedDenoiser clipped(denoiser, config_.clip, /*derive_noise=*/true, process);
    const diffusion::Denoiser& prior = config_.clip > 0 ? clipped : denoiser;
    return guided_walk("dps", config_.times, config_.init, y, start, op, process, context, [&](const GuidedJump& j) {
      const TracedEstimates traced(prior, j.x, j.from.t);
      const at::Tensor& x0 = traced.values().x0;
      const at::Tensor error = y - op.apply(x0), norm = item_norm(error);
      // grad |r|^2 = -2 (d x0 / d x)^T J^T r
      const at::Tensor gradient = traced.pull_back(op.vjp(x0, error)) * -2.0;
      const at::Tensor free = config_.variance == "eta" ? ddim_jump(j, x0, traced.values().eps, config_.eta)
                                                        : learned_jump(j, traced.values());
      return Landing{free - gradient * per_item(step_size(j, norm), gradient), x0, norm};
    });
  }
  std::int64_t network_calls() const override { return config_.times.calls(); }

 private:
  static at::Tensor learned_jump(const GuidedJump& j, const diffusion::Estimates& found) {
    const diffusion::AncestralStep step =
        diffusion::ancestral_step({j.from.a, 0.0, j.from.c}, {j.to.a, 0.0, j.to.c}, "dps");
    const at::Tensor mean = step.state * j.x + step.x0 * found.x0, z = j.run.draw("predictor", j.step, j.x);
    if (j.to.c == 0) return mean;
    const diffusion::Coef variance =
        diffusion::step_variance(diffusion::StepVariance::kLearnedRange, step, found.variance_share);
    return mean + diffusion::Coef(variance.value.sqrt()) * z;
  }

  /// Factor on grad |r|^2 per item; 0 where the residual is 0, as its gradient is.
  at::Tensor step_size(const GuidedJump& jump, const at::Tensor& norm) const {
    if (config_.step == "weighted") return at::full_like(norm, jump.to.a * jump.from.a);
    const double zeta = config_.step == "norm" ? 0.5 * config_.scale : config_.scale;
    return at::where(norm > 0, zeta / norm, at::zeros_like(norm));
  }

  DpsConfig config_;
};

}  // namespace

const SolverEntry& solver_entry_dps() {
  static const auto entry = make_component<Solver, Dps, DpsConfig>(
      "dps", "sampler with the residual's gradient through the network (DPS); any operator");
  return entry;
}

}  // namespace reseda::inverse
