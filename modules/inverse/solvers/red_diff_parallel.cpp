#include "modules/inverse/solvers/first_guess.hpp"
#include "modules/inverse/solvers/noise_weight.hpp"
#include "modules/inverse/solvers/red_diff_run.hpp"

namespace reseda::inverse {
namespace {

struct RedDiffParallelConfig : RedDiffConfig {
  RedDiffParallelConfig() { sigma_x0 = 1e-4; }
  template <class V>
  void fields(V& v) {
    times.fields(v);
    v("group", group, "consecutive times that share one step of Adam");
    v("lr", lr, "learning rate of Adam, in units of the image");
    v("obs_weight", obs_weight, "weight of the measurement's term");
    v("grad_term_weight", grad_term_weight, "weight of the prior's term");
    v("denoise_term_weight", denoise_term_weight, kNoiseWeightHelp);
    v("sigma_x0", sigma_x0, "deviation of the noise added to mu in every step");
    v("loss", loss, "what the terms are divided by: per_item, official (the whole batch) or sum, as for red_diff");
    v("init", init, kInitHelp);
    v("returns", returns, "mu, or before_last_step (official)");
    v("whole_groups_only", whole_groups_only,
      "official quirk: stop after steps / group groups, though grid strided may have more times, the last ones");
  }
};

/// RED-diff with the mean of several times' gradients in one step, see run_red_diff. Draws: see there.
/// Official: NVlabs/RED-diff, algos/reddiff_parallel.py, which fixes group 1, lr 0.1, sigma_x0 1e-4 and obs_weight 1
/// whatever the config says, and works for operators named in* and sr* only.
class RedDiffParallel final : public Solver {
 public:
  explicit RedDiffParallel(RedDiffParallelConfig config) : config_(std::move(config)) {}
  at::Tensor solve(const at::Tensor& y, const at::Tensor& start, const ForwardOperator& op,
                   const diffusion::Process& process, const diffusion::Denoiser& denoiser,
                   SolveContext& context) const override {
    return run_red_diff("red_diff_parallel", config_, y, start, op, process, denoiser, context);
  }
  std::int64_t network_calls() const override {
    return config_.whole_groups_only ? config_.times.steps / config_.group * config_.group : config_.times.calls();
  }

 private:
  RedDiffParallelConfig config_;
};

}  // namespace

const SolverEntry& solver_entry_red_diff_parallel() {
  static const auto entry = make_component<Solver, RedDiffParallel, RedDiffParallelConfig>(
      "red_diff_parallel", "RED-diff with several noise levels in each step");
  return entry;
}

}  // namespace reseda::inverse
