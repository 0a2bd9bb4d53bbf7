#include "modules/train/delayed_average.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::train {

void DelayedAverageConfig::validate() const {
  RESEDA_REQUIRE(decay >= 0 && decay < 1, Errc::kUsage, "average.decay must be in [0, 1), got ", decay);
  RESEDA_REQUIRE(every >= 1, Errc::kUsage, "average.every must be at least 1, got ", every);
  RESEDA_REQUIRE(after >= 0, Errc::kUsage, "average.after must not be negative, got ", after);
  RESEDA_REQUIRE(std::isfinite(power) && power > 0, Errc::kUsage, "average.power must be > 0, got ", power);
}

DelayedAverage::DelayedAverage(DelayedAverageConfig config, const at::Tensor& values)
    : shadow(values.clone()), config_(config) {
  config_.validate();
}

void DelayedAverage::update(const at::Tensor& values) {
  at::NoGradGuard no_grad;
  const std::int64_t call = updates++;
  if (call % config_.every != 0) return;
  if (call <= config_.after || !started) {
    shadow.copy_(values);
    started = call > config_.after;
    return;
  }
  const double age = static_cast<double>(std::max<std::int64_t>(0, call - config_.after));
  shadow.lerp_(values, 1.0 - std::min(config_.decay, 1.0 - std::pow(1.0 + age, -config_.power)));
}

}  // namespace reseda::train
