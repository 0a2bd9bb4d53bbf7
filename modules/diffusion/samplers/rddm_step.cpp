#include "modules/diffusion/samplers/rddm_step.hpp"

#include <ATen/ATen.h>

#include <utility>

#include "modules/diffusion/samplers/choice.hpp"
#include "modules/diffusion/weighted_sum.hpp"

namespace reseda::diffusion {
namespace {

/// The clean end of every bridge: x = x0.
Marginal clean() { return {1.0, 0.0, 0.0}; }

at::Tensor fresh_variance(const Marginal& from, const Marginal& to, double eta) {
  const at::Tensor &c = from.c.value, &c_to = to.c.value;
  if (eta == 0.0) return at::zeros_like(c_to);
  const at::Tensor kept = c_to * (from.a.value + from.b.value) / (c * (to.a.value + to.b.value));
  const at::Tensor left = at::where(c_to == 0, at::zeros_like(c_to), c_to.square() * (1.0 - kept.square()));
  RESEDA_REQUIRE(at::all(left > -1e-12).item<bool>(), Errc::kUsage,
                 "sampler.eta must be 0 for a process whose noise does not grow towards its start, got ", eta);
  return eta * left.clamp_min(0.0);
}

void take_part(RddmStep& step, RddmPart part) {
  if (part == RddmPart::kResidual) step.eps = Coef(0.0);
  if (part == RddmPart::kNoise) step.residual = Coef(0.0);
}

}  // namespace

RddmUpdate parse_rddm_update(const std::string& name) {
  require_choice("sampler.update", name, {"relative", "mixed"});
  return name == "mixed" ? RddmUpdate::kMixed : RddmUpdate::kRelative;
}

RddmStep rddm_step(RddmUpdate update, const Marginal& from, const Marginal& to, double eta) {
  const at::Tensor signal = from.a.value + from.b.value, signal_to = to.a.value + to.b.value;
  const at::Tensor variance = fresh_variance(from, to, eta);
  const at::Tensor kept = (to.c.value.square() - variance).clamp_min(0.0).sqrt();
  if (update == RddmUpdate::kMixed) {
    const at::Tensor k = at::where(kept == 0, at::zeros_like(kept), kept / from.c.value);
    return {Coef(k), Coef(signal_to - k * signal), Coef(to.b.value - k * from.b.value), 0.0, Coef(variance.sqrt())};
  }
  const at::Tensor growth = signal_to / signal;
  return {Coef(growth), 0.0, Coef(to.b.value - growth * from.b.value), Coef(kept - growth * from.c.value),
          Coef(variance.sqrt())};
}

at::Tensor run_rddm_pass(const RddmPass& pass, at::Tensor x, const at::Tensor& y, const Process& process,
                         const Denoiser& denoiser, SampleContext& context) {
  const at::Tensor most = process.at(process.t_start()).c.value, least = process.at(process.t_end()).c.value;
  RESEDA_REQUIRE(pass.eta == 0 || at::all(most >= least).item<bool>(), Errc::kUsage, "sampler ", pass.sampler,
                 " draws fresh noise, which needs a process whose noise grows towards its start; this one is a bridge");
  Condition condition{y};
  const auto steps = static_cast<std::int64_t>(pass.times.size());
  const bool draws = pass.eta > 0 && pass.noise_scale > 0;
  for (std::int64_t i = 0; i < steps; ++i) {
    const bool last = i + 1 == steps;
    const at::Tensor z =
        draws && (!last || pass.draws_last) ? draw_like(context, "predictor", pass.done + i, x) : at::Tensor();
    const double t = pass.times[static_cast<std::size_t>(i)];
    const Estimates found = denoiser(x, t, condition);
    condition.x0_before = found.x0;
    if (last && pass.ends_on_x0) {
      x = found.x0;
    } else {
      const Marginal to = last ? clean() : process.at(pass.times[static_cast<std::size_t>(i) + 1]);
      RddmStep step = rddm_step(pass.update, process.at(t), to, pass.eta);
      take_part(step, pass.part);
      const at::Tensor residual = found.residual.defined() ? found.residual : y - found.x0;
      x = weighted_sum({{step.state, x},
                        {step.x0, found.x0},
                        {step.residual, residual},
                        {step.eps, found.eps},
                        {Coef(pass.noise_scale * step.noise.value), z}});
    }
    after_step(context, pass.done + i + 1, pass.total, x);
  }
  return x;
}

std::vector<double> rddm_times(const Process& process, std::int64_t steps, const char* sampler) {
  const std::int64_t table = process.steps();
  std::vector<double> times;
  if (table == 0) {
    for (std::int64_t i = 0; i < steps; ++i)
      times.push_back(process.t_start() * (1.0 - static_cast<double>(i) / static_cast<double>(steps)));
    return times;
  }
  // A process that starts below the end of its table is spaced over what is left of it.
  const std::int64_t first = std::llround(process.t_start() * static_cast<double>(table)) - 1;
  RESEDA_REQUIRE(steps <= first + 1, Errc::kUsage, "sampler.steps of ", sampler, " must be at most the process's ",
                 first + 1, " steps, got ", steps);
  const at::Tensor grid = at::linspace(-1, static_cast<double>(first), steps + 1, at::kFloat).to(at::kLong);
  for (std::int64_t i = steps; i > 0; --i)
    times.push_back(static_cast<double>(grid[i].item<std::int64_t>() + 1) / static_cast<double>(table));
  return times;
}

std::vector<double> rddm_times(const Process& process, const std::vector<std::int64_t>& indices, const char* sampler) {
  const std::int64_t table = process.steps();
  RESEDA_REQUIRE(table > 0, Errc::kUsage, "sampler.indices of ", sampler,
                 " need a process with a table of steps, such as rddm or resfusion");
  std::vector<double> times;
  for (const std::int64_t index : indices) {
    times.push_back(static_cast<double>(index + 1) / static_cast<double>(table));
    RESEDA_REQUIRE(
        index >= 0 && times.back() <= process.t_start() && (times.size() == 1 || times.back() < times.end()[-2]),
        Errc::kUsage, "sampler.indices of ", sampler, " must fall from at most ",
        std::llround(process.t_start() * static_cast<double>(table)) - 1, " to at least 0, got ", index);
  }
  return times;
}

}  // namespace reseda::diffusion
