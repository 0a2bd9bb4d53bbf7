#include "modules/inverse/solvers/first_guess.hpp"
#include "modules/inverse/solvers/noise_weight.hpp"
#include "modules/inverse/solvers/red_diff_run.hpp"

namespace reseda::inverse {
namespace {

struct RedDiffFields : RedDiffConfig {
  template <class V>
  void fields(V& v) {
    times.fields(v);
    v("order", order, "order of the times: descend, ascend or random");
    v("order_seed", order_seed, "order random: chooses the order, the same for every item");
    v("lr", lr, "learning rate of Adam, in units of the image");
    v("lr_schedule", lr_schedule, "constant, or cosine down to 0");
    v("obs_weight", obs_weight, "weight of the measurement's term");
    v("grad_term_weight", grad_term_weight, "weight of the prior's term");
    v("denoise_term_weight", denoise_term_weight, kNoiseWeightHelp);
    v("sigma_x0", sigma_x0, "deviation of the noise added to mu in every step");
    v("loss", loss,
      "what the terms are divided by: per_item (elements of an item), official (elements of the whole batch: results "
      "depend on its size, through Adam's epsilon) or sum (nothing; InverseBench)");
    v("init", init, kInitHelp);
    v("returns", returns, "mu, or before_last_step: what the official driver saves, without the last step of Adam");
    v("overwrite_measurement", overwrite_measurement,
      "official quirk where H^+ y is y itself (JPEG, quantisation): the optimiser overwrites the measurement with mu");
  }
};

/// RED-diff: the mode of a variational posterior N(mu, 0) by stochastic gradients, see run_red_diff. No gradient goes
/// through the network. Where H has no derivative (JPEG, quantisation) the measurement acts as first guess only.
/// Draws: see run_red_diff.
/// Source: Mardani et al. 2024, "A Variational Perspective on Solving Inverse Problems with Diffusion Models",
/// Algorithm 1. Official: NVlabs/RED-diff, algos/reddiff.py; devzhk/InverseBench, algo/reddiff.py (loss: sum,
/// denoise_term_weight: const, init: zero; factors of its losses are for obs_weight to take).
class RedDiff final : public Solver {
 public:
  explicit RedDiff(RedDiffFields config) : config_(std::move(config)) {}
  at::Tensor solve(const at::Tensor& y, const at::Tensor& start, const ForwardOperator& op,
                   const diffusion::Process& process, const diffusion::Denoiser& denoiser,
                   SolveContext& context) const override {
    return run_red_diff("red_diff", config_, y, start, op, process, denoiser, context);
  }
  std::int64_t network_calls() const override { return config_.times.calls(); }

 private:
  RedDiffFields config_;
};

}  // namespace

const SolverEntry& solver_entry_red_diff() {
  static const auto entry = make_component<Solver, RedDiff, RedDiffFields>(
      "red_diff", "optimises one image by Adam, the prior's noise residual as regulariser (RED-diff)");
  return entry;
}

}  // namespace reseda::inverse
