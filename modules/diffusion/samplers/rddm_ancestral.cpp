#include <ATen/ATen.h>

#include <cmath>

#include "modules/diffusion/samplers/rddm_step.hpp"

namespace reseda::diffusion {
namespace {

struct RddmAncestralConfig {
  std::int64_t steps = 100;
  template <class V>
  void fields(V& v) {
    v("steps", steps, "network calls for a process without a table; a process with one is sampled at all its steps");
  }
  void validate() const {
    RESEDA_REQUIRE(steps >= 1 && steps <= 100000, Errc::kUsage, "sampler.steps must be in 1 to 100000, got ", steps);
  }
};

/// RDDM's ancestral sampler: every step of the process, each with the posterior's fresh noise, in the mixed form of
/// rddm_step with eta = 1. The last call's x0 is the result.
/// Draws: (item, "prior", 0) by the process; ("predictor", i) before call i but the last.
/// Source: Liu et al. 2024, "Residual Denoising Diffusion Models", Sec. 3. Official: nachifur/RDDM,
/// src/residual_denoising_diffusion_pytorch.py, p_sample_loop, which runs whenever sampling_timesteps is the number of
/// steps.
class RddmAncestral final : public Sampler {
 public:
  explicit RddmAncestral(RddmAncestralConfig config) : config_(config) {}

  at::Tensor run(const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                 SampleContext& context) const override {
    const auto table = static_cast<double>(process.steps());
    const std::int64_t steps = table > 0 ? std::llround(process.t_start() * table) : config_.steps;
    RddmPass pass{.sampler = "rddm_ancestral",
                  .times = rddm_times(process, steps, "rddm_ancestral"),
                  .update = RddmUpdate::kMixed,
                  .eta = 1.0};
    pass.total = steps;
    return run_rddm_pass(pass, process.prior(y, context.noise, context.item), y, process, denoiser, context);
  }

  std::int64_t network_calls() const override { return -1; }

 private:
  RddmAncestralConfig config_;
};

}  // namespace

const SamplerEntry& sampler_entry_rddm_ancestral() {
  static const auto entry = make_component<Sampler, RddmAncestral, RddmAncestralConfig>(
      "rddm_ancestral", "ancestral sampler over all steps of the process (RDDM)");
  return entry;
}

}  // namespace reseda::diffusion
