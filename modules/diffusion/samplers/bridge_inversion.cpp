#include "modules/diffusion/samplers/bridge_inversion.hpp"

#include <ATen/ATen.h>

#include "modules/diffusion/weighted_sum.hpp"

namespace reseda::diffusion {

at::Tensor inverse_bridge_step(const Marginal& noisier, const Marginal& cleaner, const at::Tensor& x,
                               const at::Tensor& x0, const at::Tensor& y) {
  const at::Tensor& c = cleaner.c.value;
  RESEDA_REQUIRE(at::all(c > 0).item<bool>(), Errc::kUsage, "a step of DDIM to a time without noise has no inverse");
  const at::Tensor growth = noisier.c.value / c;
  return weighted_sum({{Coef(growth), x},
                       {Coef(noisier.a.value - growth * cleaner.a.value), x0},
                       {Coef(noisier.b.value - growth * cleaner.b.value), y}});
}

at::Tensor invert_bridge(const at::Tensor& x0, const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                         SampleContext& context) {
  const std::int64_t steps = process.steps();
  RESEDA_REQUIRE(steps >= 2, Errc::kUsage, "DDIM is inverted on a process with a table of steps, such as resshift");
  const auto time_of = [steps](std::int64_t place) { return static_cast<double>(place) / static_cast<double>(steps); };
  at::Tensor x = x0;
  for (std::int64_t place = 2; place <= steps; ++place) {
    const Estimates found = denoiser(x, time_of(place), {y});
    x = inverse_bridge_step(process.at(time_of(place)), process.at(time_of(place - 1)), x, found.x0, y);
    after_step(context, place - 1, steps - 1, x);
  }
  return x;
}

}  // namespace reseda::diffusion
