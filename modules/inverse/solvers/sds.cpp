#include "modules/inverse/solvers/first_guess.hpp"
#include "modules/inverse/solvers/noise_weight.hpp"
#include "modules/inverse/solvers/red_diff_run.hpp"

namespace reseda::inverse {
namespace {

struct SdsConfig : RedDiffConfig {
  SdsConfig() {
    grad_term_weight = 1.0;
    obs_weight = 0.0;
    init = "noise";
  }
  template <class V>
  void fields(V& v) {
    times.fields(v);
    v("lr", lr, "learning rate of Adam, in units of the image");
    v("grad_term_weight", grad_term_weight, "weight of the prior's term");
    v("denoise_term_weight", denoise_term_weight, kNoiseWeightHelp);
    v("sigma_x0", sigma_x0, "deviation of the noise added to mu in every step");
    v("loss", loss, "what the loss is divided by: per_item, official (the whole batch) or sum, as for red_diff");
    v("init", init, kInitHelp);
    v("returns", returns, "mu, or before_last_step (official)");
  }
};

/// Score distillation: RED-diff's prior term alone, so that the measurement is not looked at but for the residual that
/// is reported; with the same start the same as red_diff with obs_weight 0. Draws: see run_red_diff.
/// Source: Poole et al. 2023, "DreamFusion". Official: NVlabs/RED-diff, algos/sds.py.
class Sds final : public Solver {
 public:
  explicit Sds(SdsConfig config) : config_(std::move(config)) {}
  at::Tensor solve(const at::Tensor& y, const at::Tensor& start, const ForwardOperator& op,
                   const diffusion::Process& process, const diffusion::Denoiser& denoiser,
                   SolveContext& context) const override {
    return run_red_diff("sds", config_, y, start, op, process, denoiser, context);
  }
  std::int64_t network_calls() const override { return config_.times.calls(); }

 private:
  SdsConfig config_;
};

}  // namespace

const SolverEntry& solver_entry_sds() {
  static const auto entry =
      make_component<Solver, Sds, SdsConfig>("sds", "score distillation: a sample near the prior's mode, without y");
  return entry;
}

}  // namespace reseda::inverse
