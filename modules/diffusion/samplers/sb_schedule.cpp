#include "modules/diffusion/samplers/sb_schedule.hpp"

#include <ATen/ATen.h>

namespace reseda::diffusion {
namespace {

// The samplers of the official code have their own eps, whatever the bridge's is.
constexpr double kEps = 1e-8;

struct Pairs {
  at::Tensor now, before;
};
Pairs neighbours(const at::Tensor& x) {
  const std::int64_t steps = x.size(0) - 1;
  return {x.narrow(0, 1, steps), x.narrow(0, 0, steps)};
}

}  // namespace

SbSchedule sb_schedule(const SbVeConfig& config, const at::Tensor& t) {
  RESEDA_INVARIANT(t.dim() == 1 && t.scalar_type() == at::kFloat && t.device().is_cpu());
  const bool brownian = config.k == 1.0;
  // The official code takes the logarithm in float32, which decides the last bit of s.
  const at::Tensor rate = 2.0 * at::log(at::scalar_tensor(config.k, at::kFloat));
  const at::Tensor square = brownian ? t * config.c : (at::pow(at::Scalar(config.k), t * 2.0) - 1.0) * config.c / rate;
  const at::Tensor growth = at::scalar_tensor(config.c * (config.k * config.k - 1.0), at::kFloat);
  const at::Tensor total = brownian ? at::scalar_tensor(config.c, at::kFloat) : growth / rate;
  SbSchedule schedule{square.sqrt(), {}, total.sqrt()};
  const at::Tensor left = (schedule.total.square() - schedule.s.square()).clamp_min(0.0);
  schedule.r = (at::where(t >= 1.0, at::zeros_like(left), left) + config.eps).sqrt();
  return schedule;
}

SbWeights sb_ode_weights(const SbSchedule& schedule) {
  const auto [s, s_before] = neighbours(schedule.s);
  const auto [r, r_before] = neighbours(schedule.r);
  const at::Tensor scale = (schedule.total.square() + kEps).reciprocal();
  return {s * r / (s_before * r_before + kEps), (r.square() - r_before * s * r / (s_before + kEps)) * scale,
          (s.square() - s_before * s * r / (r_before + kEps)) * scale, at::zeros_like(s)};
}

SbWeights sb_sde_weights(const SbSchedule& schedule) {
  const auto [s, s_before] = neighbours(schedule.s);
  const at::Tensor kept = s.square() / (s_before.square() + kEps);
  const at::Tensor x0 = 1.0 - kept;
  at::Tensor noise = s * x0.sqrt();
  noise[-1].zero_();
  return {kept, x0, at::zeros_like(s), noise};
}

}  // namespace reseda::diffusion
