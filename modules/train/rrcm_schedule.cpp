#include "modules/train/rrcm_schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "modules/core/error.hpp"

namespace reseda::train {

void RrcmScheduleConfig::validate() const {
  RESEDA_REQUIRE(scale_mode == "icm" || scale_mode == "fixed", Errc::kUsage,
                 "schedule.scale_mode must be icm or fixed, got '", scale_mode, "'");
  RESEDA_REQUIRE(target_ema_mode == "sigmoid" || target_ema_mode == "fixed", Errc::kUsage,
                 "schedule.target_ema_mode must be sigmoid or fixed, got '", target_ema_mode, "'");
  RESEDA_REQUIRE(start_scales >= 1 && end_scales >= start_scales && end_scales <= 1000000, Errc::kUsage,
                 "schedule.end_scales must be start_scales (", start_scales, ") to 1000000, got ", end_scales);
  RESEDA_REQUIRE(total_steps >= 1, Errc::kUsage, "schedule.total_steps must be >= 1, got ", total_steps);
  RESEDA_REQUIRE(ema_decay_steps >= 0, Errc::kUsage, "schedule.ema_decay_steps must be >= 0, got ", ema_decay_steps);
  RESEDA_REQUIRE(start_ema >= 0 && start_ema < end_ema && end_ema <= 1, Errc::kUsage,
                 "schedule.start_ema must be 0 or more and below end_ema (", end_ema, "), got ", start_ema);
}

std::int64_t rrcm_scales(const RrcmScheduleConfig& config, std::int64_t step) {
  if (config.scale_mode == "fixed") return config.start_scales;
  const auto first = static_cast<double>(config.start_scales), last = static_cast<double>(config.end_scales);
  const double stage = std::ceil(static_cast<double>(config.total_steps) / std::log2(std::ceil(last / first) + 1));
  const double doublings = std::ceil(static_cast<double>(step) / stage);
  return static_cast<std::int64_t>(std::min(first * std::exp2(doublings), last)) + 1;
}

double rrcm_target_ema(const RrcmScheduleConfig& config, std::int64_t step) {
  const double first = config.start_ema, last = config.end_ema;
  if (config.target_ema_mode == "fixed") return first;
  const std::int64_t steps = config.ema_decay_steps > 0 ? config.ema_decay_steps : config.total_steps;
  const double share = static_cast<double>(std::min(step, steps)) / static_cast<double>(steps);
  const double ema = std::sqrt(share * (last * last - first * first) + first * first);
  const double c = 2 / (1 + std::exp(-config.target_ema_A * (ema - first) / (last - first))) - 1;
  return c * last + (1 - c) * first;
}

double warmup_cosine(std::int64_t step, std::int64_t warmup, std::int64_t total, double floor) {
  if (step < warmup) return static_cast<double>(step) / static_cast<double>(warmup);
  if (step >= total) return floor;
  const double share = static_cast<double>(step - warmup) / static_cast<double>(total - warmup);
  return std::max(floor, 0.5 * (1 + std::cos(std::numbers::pi * share)));
}

}  // namespace reseda::train
