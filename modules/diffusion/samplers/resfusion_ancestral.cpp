#include <ATen/ATen.h>

#include <cmath>

#include "modules/diffusion/samplers/rddm_step.hpp"

namespace reseda::diffusion {
namespace {

struct ResfusionAncestralConfig {
  std::int64_t steps = 5;
  std::string update = "relative";
  double noise_scale = 1.0;
  template <class V>
  void fields(V& v) {
    v("steps", steps, "network calls for a process without a table; a process with one is sampled at all its steps");
    v("update", update, "relative (official mode epsilon) or mixed (modes sample and residual)");
    v("noise_scale", noise_scale, "factor on the fresh noise; 0 draws none");
  }
  void validate() const {
    RESEDA_REQUIRE(steps >= 1 && steps <= 100000, Errc::kUsage, "sampler.steps must be in 1 to 100000, got ", steps);
    RESEDA_REQUIRE(noise_scale >= 0 && noise_scale <= 2, Errc::kUsage, "sampler.noise_scale must be in [0, 2], got ",
                   noise_scale);
    parse_rddm_update(update);
  }
};

/// Resfusion's sampler: every step of the process with the posterior's fresh noise, see rddm_step with eta = 1, whose
/// relative form for neighbouring steps is
///   x' = (x - beta / sqrt(1 - ahat) rho) / sqrt(alpha) + sqrt(betahat) z,   rho = eps + k R
/// relative ends on this step to the clean end, mixed on the estimate of x0.
/// Draws: (item, "prior", 0) by the process; ("predictor", i) before call i, also before the last, where it has no
/// weight.
/// Source: Shi et al. 2024, "Resfusion", Sec. 3. Official: nkicsl/Resfusion, model/resfusion_restore.py, generate.
/// Quirk: the official code then clamps to [-1, 1]; here that is the caller's.
class ResfusionAncestral final : public Sampler {
 public:
  explicit ResfusionAncestral(ResfusionAncestralConfig config) : config_(std::move(config)) {}

  at::Tensor run(const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                 SampleContext& context) const override {
    const auto table = static_cast<double>(process.steps());
    const std::int64_t steps = table > 0 ? std::llround(process.t_start() * table) : config_.steps;
    RddmPass pass{.sampler = "resfusion_ancestral",
                  .times = rddm_times(process, steps, "resfusion_ancestral"),
                  .update = parse_rddm_update(config_.update),
                  .eta = 1.0,
                  .noise_scale = config_.noise_scale,
                  .draws_last = true};
    pass.ends_on_x0 = pass.update == RddmUpdate::kMixed;
    pass.total = steps;
    return run_rddm_pass(pass, process.prior(y, context.noise, context.item), y, process, denoiser, context);
  }

  std::int64_t network_calls() const override { return -1; }

 private:
  ResfusionAncestralConfig config_;
};

}  // namespace

const SamplerEntry& sampler_entry_resfusion_ancestral() {
  static const auto entry = make_component<Sampler, ResfusionAncestral, ResfusionAncestralConfig>(
      "resfusion_ancestral", "stochastic sampler over all steps of the process (Resfusion)");
  return entry;
}

}  // namespace reseda::diffusion
