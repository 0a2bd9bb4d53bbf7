#include "modules/diffusion/sampler.hpp"

#include <ATen/ATen.h>

namespace reseda::diffusion {

at::Tensor draw_like(SampleContext& context, std::string_view stream, std::int64_t step, const at::Tensor& like) {
  return draw_like(context.noise, {context.item, stream, static_cast<std::uint32_t>(step)}, like);
}

void after_step(SampleContext& context, std::int64_t done, std::int64_t total, const at::Tensor& state) {
  if (context.trace) context.trace(done - 1, state);
  // Looking at the state waits for the device, so only the last one is checked; NaN and infinity do not go away.
  RESEDA_REQUIRE(done != total || at::isfinite(state).all().item<bool>(), Errc::kNumeric, context.item,
                 ": the sampler's state is not finite after ", done, " steps");
  const bool go_on = !context.on_step || context.on_step({done, total, ""});
  RESEDA_REQUIRE(go_on || done == total, Errc::kInterrupted, context.item, ": stopped after step ", done);
}

std::unique_ptr<Sampler> make_sampler(const ConfigNode& node, const std::string& path) {
  auto [name, rest] = split_name(node, path);
  return find_component(sampler_entries(), "sampler", name).make(rest, path);
}

}  // namespace reseda::diffusion
