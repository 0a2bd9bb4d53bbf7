#include "modules/diffusion/uncertainty_weight.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::diffusion {

void UncertaintyWeightConfig::validate() const {
  RESEDA_REQUIRE(std::isfinite(un), Errc::kUsage, "process.un must be a number, got ", un);
  RESEDA_REQUIRE(min_noise > 0 && min_noise <= 1, Errc::kUsage, "process.min_noise must be in (0, 1], got ", min_noise);
}

at::Tensor uncertainty_weight(const at::Tensor& difference, const UncertaintyWeightConfig& config) {
  if (config.un <= 0) return at::ones_like(difference);
  return difference.abs().clamp_max(config.un) / config.un * (1.0 - config.min_noise) + config.min_noise;
}

}  // namespace reseda::diffusion
