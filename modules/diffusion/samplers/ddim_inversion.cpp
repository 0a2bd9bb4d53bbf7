#include "modules/diffusion/samplers/ddim_inversion.hpp"

#include <ATen/ATen.h>

#include "modules/diffusion/weighted_sum.hpp"

namespace reseda::diffusion {

at::Tensor invert_ddim(const at::Tensor& x0, const Process& process, const Denoiser& denoiser, SampleContext& context) {
  const std::int64_t steps = process.steps();
  RESEDA_REQUIRE(steps > 0, Errc::kUsage, "DDIM is inverted on a process with a table of steps, such as ddpm");
  at::Tensor x = x0;
  for (std::int64_t i = 1; i <= steps; ++i) {
    const auto time_of = [steps](std::int64_t place) {
      return static_cast<double>(place) / static_cast<double>(steps);
    };
    const Marginal to = i < steps ? process.at(time_of(i + 1)) : Marginal{0.0, 0.0, 1.0};
    RESEDA_REQUIRE(at::all(to.b.value == 0).item<bool>(), Errc::kUsage,
                   "DDIM is inverted on a process without a measurement, such as ddpm");
    const Estimates found = denoiser(x, time_of(i), {});
    x = weighted_sum({{to.a, found.x0}, {to.c, found.eps}});
    after_step(context, i, steps, x);
  }
  return x;
}

}  // namespace reseda::diffusion
