#include "modules/diffusion/samplers/sb_sampler.hpp"

namespace reseda::diffusion {
namespace {

struct SbOde final : SbSampler {
  explicit SbOde(SbSamplerConfig config) : SbSampler(Kind::kOde, std::move(config)) {}
};

}  // namespace

const SamplerEntry& sampler_entry_sb_ode() {
  static const auto entry = make_component<Sampler, SbOde, SbSamplerConfig>(
      "sb_ode", "probability flow of the Schroedinger bridge with x0 re-estimated at each step (SGMSE+)");
  return entry;
}

}  // namespace reseda::diffusion
