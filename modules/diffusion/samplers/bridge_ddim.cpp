#include <ATen/ATen.h>

#include "modules/diffusion/samplers/bridge_walk.hpp"
#include "modules/diffusion/samplers/ddim_step.hpp"
#include "modules/diffusion/weighted_sum.hpp"

namespace reseda::diffusion {
namespace {

struct BridgeDdimConfig {
  TimeGridConfig walk{.steps = 1};
  double eta = 0.0;
  double carry = 1.0;
  template <class V>
  void fields(V& v) {
    walk.fields(v);
    v("eta", eta, "share of fresh noise: 0 deterministic, 1 the posterior of the Markov process");
    v("carry", carry, "factor on the estimated noise carried on: 1 DDIM, 0 the bridge's mean at every call");
  }
  void validate() const {
    walk.validate();
    RESEDA_REQUIRE(eta >= 0 && eta <= 1, Errc::kUsage, "sampler.eta must be in [0, 1], got ", eta);
    RESEDA_REQUIRE(carry >= 0 && carry <= 1, Errc::kUsage, "sampler.carry must be in [0, 1], got ", carry);
  }
};

/// DDIM along any affine bridge: each call estimates (x0, eps), from which the state at the next time is composed, see
/// ddim_step. One call returns the estimate of x0 at t_start. Order 1.
/// Draws: (item, "prior", 0) by the process; ("predictor", i) after call i where eta > 0 and the state goes on.
/// Source: Song et al. 2021, "Denoising Diffusion Implicit Models". On a Schroedinger bridge eta = 0 and eta = 1 are
/// the ODE and the SDE of Jukic et al. 2024 without their numerical guards.
class BridgeDdim final : public Sampler {
 public:
  explicit BridgeDdim(BridgeDdimConfig config) : config_(std::move(config)) {}

  at::Tensor run(const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                 SampleContext& context) const override {
    return walk_bridge(config_.walk, y, process, denoiser, context, [&](const BridgeStep& step) {
      const DdimStep weights = ddim_step(step.from.m, step.to.m, config_.eta);
      const Estimates& found = step.estimates;
      const at::Tensor z = config_.eta > 0 ? draw_like(context, "predictor", step.index, found.x0) : at::Tensor();
      const Coef carried(config_.carry * weights.eps.value);
      return weighted_sum({{weights.x0, found.x0}, {weights.y, y}, {carried, found.eps}, {weights.noise, z}});
    });
  }

  std::int64_t network_calls() const override { return config_.walk.calls(); }

 private:
  BridgeDdimConfig config_;
};

}  // namespace

const SamplerEntry& sampler_entry_bridge_ddim() {
  static const auto entry = make_component<Sampler, BridgeDdim, BridgeDdimConfig>(
      "bridge_ddim", "few-step deterministic or stochastic sampler on any bridge");
  return entry;
}

}  // namespace reseda::diffusion
