#include <ATen/ATen.h>

#include <cmath>

#include "modules/diffusion/samplers/choice.hpp"
#include "modules/diffusion/samplers/rddm_step.hpp"

namespace reseda::diffusion {
namespace {

struct RddmTwoPassConfig {
  std::int64_t steps = 10;
  std::string order = "residual_first";
  std::string handover = "x0";
  double eta = 0.0;
  std::string update = "relative";
  template <class V>
  void fields(V& v) {
    v("steps", steps, "network calls of each of the two passes, at the official spacing of the process's steps");
    v("order", order, "what the first pass takes away: residual_first (official) or noise_first");
    v("handover", handover,
      "what the second pass starts from: x0, the first one's last estimate (official), or state, with what is left of "
      "the other part");
    v("eta", eta, "share of fresh noise's variance in both passes");
    v("update", update, "relative, or mixed: both passes then take away both parts (official use_x_start)");
  }
  void validate() const {
    RESEDA_REQUIRE(steps >= 1 && steps <= 100000, Errc::kUsage, "sampler.steps must be in 1 to 100000, got ", steps);
    RESEDA_REQUIRE(eta >= 0 && eta <= 1, Errc::kUsage, "sampler.eta must be in [0, 1], got ", eta);
    require_choice("sampler.order", order, {"residual_first", "noise_first"});
    require_choice("sampler.handover", handover, {"x0", "state"});
    parse_rddm_update(update);
  }
};

/// RDDM's partially path-independent sampler: two passes over all times, one of which takes away the residual alone and
/// the other the noise alone, see rddm_step. The last call's x0 is the result.
/// Draws: (item, "prior", 0) by the process; ("predictor", i) in step i of 0 .. 2 steps - 1, both passes counted, but
/// for the last of each, where eta > 0.
/// Source: Liu et al. 2024, "Residual Denoising Diffusion Models", on partially path-independent generation. Official:
/// nachifur/RDDM, experiments/0_Partially_path-independent_generation, ddim_sample.
/// Quirk: the second pass starts at the noisiest time from an estimate of x0; handover = state does not.
class RddmTwoPass final : public Sampler {
 public:
  explicit RddmTwoPass(RddmTwoPassConfig config) : config_(std::move(config)) {}

  at::Tensor run(const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                 SampleContext& context) const override {
    const Marginal start = process.at(process.t_start());
    RESEDA_REQUIRE(at::all((start.a.value + start.b.value - 1.0).abs() < 1e-6).item<bool>(), Errc::kUsage,
                   "sampler rddm_two_pass needs a process whose weights on x0 and y sum to 1, such as rddm");
    const bool mixed = parse_rddm_update(config_.update) == RddmUpdate::kMixed,
               residual_first = config_.order == "residual_first";
    RddmPass pass{.sampler = "rddm_two_pass",
                  .times = rddm_times(process, config_.steps, "rddm_two_pass"),
                  .update = parse_rddm_update(config_.update),
                  .eta = config_.eta,
                  .ends_on_x0 = config_.handover == "x0"};
    pass.total = network_calls();
    if (!mixed) pass.part = residual_first ? RddmPart::kResidual : RddmPart::kNoise;
    at::Tensor x = process.prior(y, context.noise, context.item);
    x = run_rddm_pass(pass, x, y, process, denoiser, context);
    if (!mixed) pass.part = residual_first ? RddmPart::kNoise : RddmPart::kResidual;
    pass.ends_on_x0 = true;
    pass.done = config_.steps;
    return run_rddm_pass(pass, x, y, process, denoiser, context);
  }

  std::int64_t network_calls() const override { return 2 * config_.steps; }

 private:
  RddmTwoPassConfig config_;
};

}  // namespace

const SamplerEntry& sampler_entry_rddm_two_pass() {
  static const auto entry = make_component<Sampler, RddmTwoPass, RddmTwoPassConfig>(
      "rddm_two_pass", "partially path-independent sampler: residual and noise in a pass each (RDDM)");
  return entry;
}

}  // namespace reseda::diffusion
