#include "modules/diffusion/samplers/sb_sampler.hpp"

namespace reseda::diffusion {
namespace {

struct SbSde final : SbSampler {
  explicit SbSde(SbSamplerConfig config) : SbSampler(Kind::kSde, std::move(config)) {}
};

}  // namespace

const SamplerEntry& sampler_entry_sb_sde() {
  static const auto entry = make_component<Sampler, SbSde, SbSamplerConfig>(
      "sb_sde", "stochastic sampler of the Schroedinger bridge (SGMSE+)");
  return entry;
}

}  // namespace reseda::diffusion
