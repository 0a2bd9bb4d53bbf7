#pragma once

#include <cstdint>
#include <string>

namespace reseda::train {

/// How rRCM's pre-training grows harder.
struct RrcmScheduleConfig {
  std::string scale_mode = "icm";
  std::string target_ema_mode = "sigmoid";
  std::int64_t start_scales = 20;
  std::int64_t end_scales = 80;
  std::int64_t total_steps = 600000;  ///< optimiser steps; no key, for the training knows them
  std::int64_t ema_decay_steps = 0;
  double start_ema = 0.99;
  double end_ema = 0.9999;
  double target_ema_A = 10;
  template <class V>
  void fields(V& v) {
    v("scale_mode", scale_mode, "icm: the grid grows by doublings; fixed: it keeps start_scales scales");
    v("target_ema_mode", target_ema_mode, "sigmoid or fixed (start_ema)");
    v("start_scales", start_scales, "scales of the grid at first, less one");
    v("end_scales", end_scales, "scales of the grid at last, less one");
    v("ema_decay_steps", ema_decay_steps, "steps over which the target's average slows down; 0 for all");
    v("start_ema", start_ema, "rate of the target's average at first");
    v("end_ema", end_ema, "rate of the target's average at last");
    v("target_ema_A", target_ema_A, "steepness of the sigmoid");
  }
  /// @throws Error{kUsage}
  void validate() const;
};

/// Scales N of the grid at a step. icm, with K' = ceil(K / log2(ceil(s1 / s0) + 1)):   N(k) = min(s0 2^ceil(k / K'),
/// s1) + 1 so that the first step alone has s0 + 1. Source: Song & Dhariwal 2024, "Improved Techniques for Training
/// Consistency Models". Official: jiachenlei/rRCM, rrcm/utils.py (create_ema_and_scales_fn).
std::int64_t rrcm_scales(const RrcmScheduleConfig& config, std::int64_t step);

/// Rate of the target's moving average at a step. sigmoid: with e(k) = sqrt(min(k / D, 1) (e1^2 - e0^2) + e0^2) and
/// c = 2 / (1 + exp(-A (e - e0) / (e1 - e0))) - 1:   c e1 + (1 - c) e0
double rrcm_target_ema(const RrcmScheduleConfig& config, std::int64_t step);

/// Factor of the learning rate: k / warmup at first, then half a cosine from 1 at the end of the warm-up to 0 at
/// `total`, but no less than `floor`. The first step has rate 0.
double warmup_cosine(std::int64_t step, std::int64_t warmup, std::int64_t total, double floor = 0);

}  // namespace reseda::train
