#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "modules/inverse/solvers/guided_walk.hpp"
#include "modules/inverse/solvers/traced_estimates.hpp"

namespace reseda::inverse {
namespace {

struct McgConfig {
  SolverTimesConfig times;
  double eta = 0.0;
  double scale = 0.1;
  std::string init = "given";
  template <class V>
  void fields(V& v) {
    times.fields(v);
    v("eta", eta, "share of fresh noise: 0 deterministic, 1 ancestral");
    v("scale", scale, "step size w of the gradient");
    v("init", init, "given, pseudo_inverse or zero: that image noised first; noise");
  }
  void validate() const {
    times.validate();
    require_eta(eta);
    require_init(init);
    require_not_negative("scale", scale);
  }
};

/// Manifold-constrained gradient: DDIM's jump and a step along the gradient in what the measurement does not know,
/// while the part it knows is replaced by the noised measurement. With P = H^+ H, a projection:
///   S = |H^+ (y - H x0)|^2,   x~ = a' x0 + sqrt(c'^2 - s^2) eps + s z
///   x' = (I - P) (x~ - w a grad_{x_t} S) + a' H^+ y + c' P z'
/// For inpainting P is the mask. Linear operators with a pseudo-inverse.
/// Draws: ("prior", 0), ("predictor", k) = z, ("measurement", k) = z' in every step k.
/// Source: Chung et al. 2022, "Improving Diffusion Models for Inverse Problems using Manifold Constraints", Eqs. (14),
/// (15). Official: NVlabs/RED-diff, algos/mcg.py (inpainting only).
class Mcg final : public Solver {
 public:
  explicit Mcg(McgConfig config) : config_(std::move(config)) {}

  at::Tensor solve(const at::Tensor& y, const at::Tensor& start, const ForwardOperator& op,
                   const diffusion::Process& process, const diffusion::Denoiser& denoiser,
                   SolveContext& context) const override {
    const c10::NoGradGuard no_gradients;
    require_pseudo_inverse("mcg", op);
    const at::Tensor known = op.pseudo_inverse(y);
    return guided_walk("mcg", config_.times, config_.init, y, start, op, process, context, [&](const GuidedJump& j) {
      const TracedEstimates traced(denoiser, j.x, j.from.t);
      const at::Tensor &x0 = traced.values().x0, &eps = traced.values().eps;
      const at::Tensor error = y - op.apply(x0);
      // grad S = -2 (d x0 / d x)^T P H^+ r and P H^+ = H^+.
      const at::Tensor gradient = traced.pull_back(op.pseudo_inverse(error)) * -2.0;
      const at::Tensor free = ddim_jump(j, x0, eps, config_.eta).sub_(gradient, config_.scale * j.from.a);
      const at::Tensor z = j.run.draw("measurement", j.step, j.x);
      // Both projections in one, P (c' z' - x~ + ...).
      const at::Tensor inside = op.pseudo_inverse(op.apply(j.to.c * z - free));
      return Landing{free + inside + j.to.a * known, x0, item_norm(error)};
    });
  }
  std::int64_t network_calls() const override { return config_.times.calls(); }

 private:
  McgConfig config_;
};

}  // namespace

const SolverEntry& solver_entry_mcg() {
  static const auto entry = make_component<Solver, Mcg, McgConfig>(
      "mcg", "sampler that replaces what is known and follows a gradient in the rest (MCG); linear operators");
  return entry;
}

}  // namespace reseda::inverse
