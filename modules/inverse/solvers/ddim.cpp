#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "modules/inverse/solvers/guided_walk.hpp"

namespace reseda::inverse {
namespace {

struct DdimConfig {
  SolverTimesConfig times;
  double eta = 0.5;
  std::string init = "noise";
  template <class V>
  void fields(V& v) {
    times.fields(v);
    v("eta", eta, "share of fresh noise: 0 deterministic, 1 the posterior of the Markov process");
    v("init", init, "noise: a sample of the prior; given, pseudo_inverse or zero: SDEdit, that image noised first");
  }
  void validate() const {
    times.validate();
    require_eta(eta);
    require_init(init);
  }
};

/// DDIM from noise, or from the noised first guess (SDEdit): a baseline in which the measurement is the start at most.
///   x' = a' x0 + sqrt(c'^2 - s^2) eps + s z,   s = eta c' sqrt(1 - (a c' / (a' c))^2)
/// Draws: ("prior", 0), ("predictor", k) in every step k.
/// Source: Song et al. 2021, "Denoising Diffusion Implicit Models"; Meng et al. 2022, "SDEdit". Official:
/// NVlabs/RED-diff, algos/ddim.py.
class Ddim final : public Solver {
 public:
  explicit Ddim(DdimConfig config) : config_(std::move(config)) {}

  at::Tensor solve(const at::Tensor& y, const at::Tensor& start, const ForwardOperator& op,
                   const diffusion::Process& process, const diffusion::Denoiser& denoiser,
                   SolveContext& context) const override {
    const c10::NoGradGuard no_gradients;
    return guided_walk("ddim", config_.times, config_.init, y, start, op, process, context, [&](const GuidedJump& j) {
      const diffusion::Estimates found = denoiser(j.x, j.from.t, {});
      return Landing{ddim_jump(j, found.x0, found.eps, config_.eta), found.x0, item_norm(y - op.apply(found.x0))};
    });
  }
  std::int64_t network_calls() const override { return config_.times.calls(); }

 private:
  DdimConfig config_;
};

}  // namespace

const SolverEntry& solver_entry_ddim() {
  static const auto entry =
      make_component<Solver, Ddim, DdimConfig>("ddim", "DDIM from noise or from the noised first guess (SDEdit)");
  return entry;
}

}  // namespace reseda::inverse
