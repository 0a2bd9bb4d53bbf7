#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "modules/diffusion/samplers/rddm_step.hpp"

namespace reseda::diffusion {
namespace {

struct RddmDdimConfig {
  std::int64_t steps = 10;
  std::vector<std::int64_t> indices;
  double eta = 0.0;
  std::string update = "relative";
  double noise_scale = 1.0;
  template <class V>
  void fields(V& v) {
    v("steps", steps, "network calls, at the official spacing of the process's steps");
    v("indices", indices, "time indices of the calls instead, falling");
    v("eta", eta, "share of fresh noise's variance: 0 deterministic, 1 the posterior of the chain");
    v("update", update, "relative (official use_pred_noise) or mixed (use_x_start)");
    v("noise_scale", noise_scale, "factor on the fresh noise; 0 draws none");
  }
  void validate() const {
    RESEDA_REQUIRE(steps >= 1 && steps <= 100000, Errc::kUsage, "sampler.steps must be in 1 to 100000, got ", steps);
    RESEDA_REQUIRE(eta >= 0 && eta <= 1, Errc::kUsage, "sampler.eta must be in [0, 1], got ", eta);
    RESEDA_REQUIRE(noise_scale >= 0 && noise_scale <= 2, Errc::kUsage, "sampler.noise_scale must be in [0, 2], got ",
                   noise_scale);
    parse_rddm_update(update);
  }
};

/// RDDM's strided sampler: residual and noise are taken away together, see rddm_step; the last call's x0 is the result.
/// Draws: (item, "prior", 0) by the process; ("predictor", i) before call i where eta and noise_scale are > 0, but for
/// the last.
/// Source: Liu et al. 2024, "Residual Denoising Diffusion Models", Sec. 3. Official: nachifur/RDDM,
/// src/residual_denoising_diffusion_pytorch.py, ddim_sample; special_eta_0 and special_eta_1 are `relative` with eta 0
/// and 1.
/// Quirk: eta is linear in the variance.
class RddmDdim final : public Sampler {
 public:
  explicit RddmDdim(RddmDdimConfig config) : config_(std::move(config)) {}

  at::Tensor run(const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                 SampleContext& context) const override {
    RddmPass pass{.sampler = "rddm_ddim",
                  .times = config_.indices.empty() ? rddm_times(process, config_.steps, "rddm_ddim")
                                                   : rddm_times(process, config_.indices, "rddm_ddim"),
                  .update = parse_rddm_update(config_.update),
                  .eta = config_.eta,
                  .noise_scale = config_.noise_scale};
    pass.total = network_calls();
    return run_rddm_pass(pass, process.prior(y, context.noise, context.item), y, process, denoiser, context);
  }

  std::int64_t network_calls() const override {
    return config_.indices.empty() ? config_.steps : static_cast<std::int64_t>(config_.indices.size());
  }

 private:
  RddmDdimConfig config_;
};

}  // namespace

const SamplerEntry& sampler_entry_rddm_ddim() {
  static const auto entry = make_component<Sampler, RddmDdim, RddmDdimConfig>(
      "rddm_ddim", "strided sampler that takes residual and noise away together (RDDM)");
  return entry;
}

}  // namespace reseda::diffusion
