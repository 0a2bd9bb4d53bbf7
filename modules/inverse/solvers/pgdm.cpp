#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "modules/diffusion/samplers/choice.hpp"
#include "modules/inverse/solvers/guided_walk.hpp"
#include "modules/inverse/solvers/traced_estimates.hpp"

namespace reseda::inverse {
namespace {

struct PgdmConfig {
  SolverTimesConfig times;
  double eta = 0.0;
  double scale = 1.0;
  std::string weight = "awd";
  bool renoise = false;
  bool project = false;
  double contrast = 0.0;
  std::string init = "given";
  template <class V>
  void fields(V& v) {
    times.fields(v);
    v("eta", eta, "share of fresh noise: 0 deterministic, 1 ancestral");
    v("scale", scale, "factor w on the guidance");
    v("weight", weight, "factor k on the guidance: awd a', jump a' - w_eps a / c with DDIM's weight of eps, mcg 1");
    v("renoise", renoise,
      "take eps anew from x0, which differs where project has changed it (official with awd: false)");
    v("project", project,
      "replace the part of x0 that the measurement knows, x0 + H^+ (y - H x0), and take it out of the guidance "
      "(official for inpainting; linear operators with a pseudo-inverse)");
    v("contrast", contrast, "weight of the estimate's standard deviation, pushed up (official for HDR: 1500)");
    v("init", init, "given, pseudo_inverse or zero: that image noised first; noise");
  }
  void validate() const {
    times.validate();
    require_eta(eta);
    require_init(init);
    require_not_negative("scale", scale);
    require_not_negative("contrast", contrast);
    diffusion::require_choice("solver.weight", weight, {"awd", "jump", "mcg"});
  }
};

/// The gradient of the unbiased standard deviation of each item.
at::Tensor deviation_gradient(const at::Tensor& x) {
  const at::Tensor flat = x.flatten(1), centred = flat - flat.mean(1, true);
  const double freedom = static_cast<double>(flat.size(1) - 1);
  const at::Tensor deviation = centred.square().sum(1, true).div(freedom).sqrt();
  return (centred / (deviation * freedom).clamp_min(1e-30)).reshape(x.sizes());
}

/// Pseudo-inverse guidance without a model of the measurement's noise:
///   g = (d x0 / d x_t)^T [H^+ y - H^+ H(x0)]
///   x' = a' x0 + sqrt(c'^2 - s^2) eps + s z + w a k g,   k = a' (awd), a' - w_eps a / c (jump) or 1 (mcg)
/// H is not differentiated, so that rounding operators work. Draws: ("prior", 0), ("predictor", k) in every step k.
/// Source: Song et al. 2023, "Pseudoinverse-Guided Diffusion Models for Inverse Problems", Sec. 3. Official:
/// NVlabs/RED-diff, algos/pgdm.py (awd: true is weight awd, awd: false is jump with renoise, mcg: true is mcg).
class Pgdm final : public Solver {
 public:
  explicit Pgdm(PgdmConfig config) : config_(std::move(config)) {}

  at::Tensor solve(const at::Tensor& y, const at::Tensor& start, const ForwardOperator& op,
                   const diffusion::Process& process, const diffusion::Denoiser& denoiser,
                   SolveContext& context) const override {
    const c10::NoGradGuard no_gradients;
    if (config_.project) require_pseudo_inverse("pgdm with project", op);
    const at::Tensor known = op.pseudo_inverse(y);
    return guided_walk("pgdm", config_.times, config_.init, y, start, op, process, context, [&](const GuidedJump& j) {
      const TracedEstimates traced(denoiser, j.x, j.from.t);
      at::Tensor x0 = traced.values().x0, eps = traced.values().eps;
      const at::Tensor measured = op.apply(x0), missing = known - op.pseudo_inverse(measured);
      at::Tensor gradient =
          traced.pull_back(config_.contrast > 0 ? missing + config_.contrast * deviation_gradient(x0) : missing);
      if (config_.project) {
        x0 = x0 + missing;
        gradient = gradient - op.pseudo_inverse(op.apply(gradient));
      }
      if (config_.renoise) eps = (j.x - j.from.a * x0) / j.from.c;
      return Landing{ddim_jump(j, x0, eps, config_.eta) + factor(j) * gradient, x0, item_norm(y - measured)};
    });
  }
  std::int64_t network_calls() const override { return config_.times.calls(); }

 private:
  double factor(const GuidedJump& j) const {
    const double all = config_.scale * j.from.a;
    if (config_.weight == "mcg") return all;
    if (config_.weight == "awd") return all * j.to.a;
    return all * (j.to.a - jump_weights(j.from, j.to, config_.eta).eps * j.from.a / j.from.c);
  }

  PgdmConfig config_;
};

}  // namespace

const SolverEntry& solver_entry_pgdm() {
  static const auto entry = make_component<Solver, Pgdm, PgdmConfig>(
      "pgdm", "sampler guided by the pseudo-inverse's residual through the network (PiGDM); any operator");
  return entry;
}

}  // namespace reseda::inverse
