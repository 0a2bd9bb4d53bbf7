#include "modules/diffusion/samplers/sb_sampler.hpp"

#include <ATen/ATen.h>

#include "modules/diffusion/samplers/choice.hpp"
#include "modules/diffusion/samplers/ddim_step.hpp"
#include "modules/diffusion/samplers/sb_schedule.hpp"
#include "modules/diffusion/weighted_sum.hpp"

namespace reseda::diffusion {
namespace {

std::vector<double> values(const at::Tensor& x) {
  const at::Tensor wide = x.to(at::kDouble).contiguous();
  return {wide.const_data_ptr<double>(), wide.const_data_ptr<double>() + wide.numel()};
}

}  // namespace

void SbSamplerConfig::validate() const {
  RESEDA_REQUIRE(steps >= 1 && steps <= 100000, Errc::kUsage, "sampler.steps must be in 1 to 100000, got ", steps);
  RESEDA_REQUIRE(t_end > 0 && t_end < 1, Errc::kUsage, "sampler.t_end must be in (0, 1), got ", t_end);
  require_choice("sampler.schedule", schedule, {"official", "exact"});
  require_choice("sampler.conditioning", conditioning, {"next", "current"});
}

at::Tensor SbSampler::run(const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                          SampleContext& context) const {
  RESEDA_REQUIRE(config_.t_end < process.t_start(), Errc::kUsage, "sampler.t_end must be < ", process.t_start(),
                 ", where the process starts, got ", config_.t_end);
  const at::Tensor grid = at::linspace(process.t_start(), config_.t_end, config_.steps + 1, at::kFloat);
  const std::vector<double> times = values(grid);
  const std::vector<Step> steps = config_.schedule == "official" ? official(process, grid) : exact(process, times);
  const bool next = config_.conditioning == "next";
  const Condition condition{y};
  at::Tensor x = process.prior(y, context.noise, context.item);
  for (std::int64_t n = 0; n < config_.steps; ++n) {
    const at::Tensor x0 = denoiser(x, times[next ? n + 1 : n], condition).x0;
    const at::Tensor z = kind_ == Kind::kSde ? draw_like(context, "predictor", n, x) : at::Tensor();
    x = advance(steps[n], x, x0, y, z);
    after_step(context, n + 1, config_.steps, x);
  }
  return x;
}

at::Tensor SbSampler::advance(const Step& step, const at::Tensor& x, const at::Tensor& x0, const at::Tensor& y,
                              const at::Tensor& z) {
  if (!step.from.a.value.defined()) {
    // Products rounded one by one: the first step's weights of +-2250 cancel, and a fused multiply-add shows.
    const at::Tensor sum = step.state * x + step.x0 * x0;
    return z.defined() ? sum + step.noise * z : sum + step.y * y;
  }
  // At the start x is y: taking the difference first keeps what the division by a small c would blow up.
  const at::Tensor noise = weighted_sum({{1.0, x}, {Coef(-step.from.b.value), y}, {Coef(-step.from.a.value), x0}});
  return weighted_sum({{step.x0, x0}, {step.y, y}, {step.flow, noise}, {step.noise, z}});
}

std::vector<SbSampler::Step> SbSampler::official(const Process& process, const at::Tensor& times) const {
  const auto* bridge = dynamic_cast<const SbVe*>(&process);
  RESEDA_REQUIRE(bridge != nullptr, Errc::kUsage,
                 "the official schedule of samplers sb_ode and sb_sde needs the process sb_ve; schedule: exact takes "
                 "any bridge");
  const SbSchedule schedule = sb_schedule(bridge->config(), times);
  const SbWeights weights = kind_ == Kind::kOde ? sb_ode_weights(schedule) : sb_sde_weights(schedule);
  const std::vector<double> state = values(weights.state), x0 = values(weights.x0), y = values(weights.y),
                            noise = values(weights.noise);
  std::vector<Step> steps;
  for (std::size_t n = 0; n < state.size(); ++n) steps.push_back({state[n], x0[n], y[n], noise[n], 0.0, {}});
  return steps;
}

std::vector<SbSampler::Step> SbSampler::exact(const Process& process, const std::vector<double>& times) const {
  std::vector<Step> steps;
  for (std::size_t n = 1; n < times.size(); ++n) {
    const Marginal from = process.at(times[n - 1]);
    const DdimStep step = ddim_step(from, process.at(times[n]), kind_ == Kind::kSde ? 1.0 : 0.0);
    const at::Tensor& c = from.c.value;
    const Coef flow(at::where(c == 0, at::zeros_like(c), step.eps.value / c));
    steps.push_back({0.0, step.x0, step.y, step.noise, flow, from});
  }
  return steps;
}

}  // namespace reseda::diffusion
