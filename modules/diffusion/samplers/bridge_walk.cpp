#include "modules/diffusion/samplers/bridge_walk.hpp"

#include <ATen/ATen.h>

#include <vector>

#include "modules/diffusion/weighted_sum.hpp"

namespace reseda::diffusion {

BridgePoint bridge_point(const Process& process, double t) {
  BridgePoint point{t, process.at(t), false, {}};
  const at::Tensor &a = point.m.a.value, &c = point.m.c.value;
  point.regular = at::all(a > 0).item<bool>() && at::all(c > 0).item<bool>();
  if (point.regular) point.log_snr = Coef(a.log() - c.log());
  return point;
}

at::Tensor walk_bridge(const TimeGridConfig& config, const at::Tensor& y, const Process& process,
                       const Denoiser& denoiser, SampleContext& context,
                       const std::function<at::Tensor(const BridgeStep&)>& advance) {
  std::vector<BridgePoint> points;
  for (const double t : time_grid(config, process)) points.push_back(bridge_point(process, t));
  const std::int64_t calls = config.calls(), steps = static_cast<std::int64_t>(points.size()) - 1;
  // The jump from an inner time to the estimate of x0 is a step too, of first order.
  const std::int64_t jumps = config.final_state == "x0" ? 1 : 0;
  Condition condition{y};
  at::Tensor x = process.prior(y, context.noise, context.item);
  for (std::int64_t i = 0; i < calls; ++i) {
    const Estimates estimates = denoiser(x, points[i].t, condition);
    x = i < steps ? advance({i, steps + jumps - i, points[i], points[i + 1], x, y, estimates}) : estimates.x0;
    condition.x0_before = estimates.x0;
    after_step(context, i + 1, calls, x);
  }
  return x;
}

at::Tensor shifted_state(const BridgeStep& step) {
  return weighted_sum({{1.0, step.x}, {Coef(-step.from.m.b.value), step.y}});
}

at::Tensor first_order_step(const BridgeStep& step) {
  const Marginal& to = step.to.m;
  return weighted_sum({{to.a, step.estimates.x0}, {to.b, step.y}, {to.c, step.estimates.eps}});
}

}  // namespace reseda::diffusion
