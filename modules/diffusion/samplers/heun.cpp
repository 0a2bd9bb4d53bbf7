#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "modules/diffusion/samplers/bridge_walk.hpp"
#include "modules/diffusion/weighted_sum.hpp"

namespace reseda::diffusion {
namespace {

struct HeunConfig {
  TimeGridConfig walk{.steps = 18, .grid = "karras", .final_state = "denoise"};
  double churn = 0.0;
  double churn_min = 0.0;
  double churn_max = 1e300;
  double churn_noise = 1.0;
  template <class V>
  void fields(V& v) {
    walk.fields(v);
    v("churn", churn, "noise added in all: each step first raises c / a by min(churn / steps, sqrt(2) - 1); 0 none");
    v("churn_min", churn_min, "smallest c / a at which noise is added");
    v("churn_max", churn_max, "largest c / a at which noise is added");
    v("churn_noise", churn_noise, "deviation of the added noise");
  }
  void validate() const {
    walk.validate();
    RESEDA_REQUIRE(std::isfinite(churn) && churn >= 0, Errc::kUsage, "sampler.churn must be >= 0, got ", churn);
    RESEDA_REQUIRE(churn_min >= 0 && churn_min <= churn_max, Errc::kUsage,
                   "sampler.churn_min must be >= 0 and <= churn_max, got ", churn_min, " and ", churn_max);
    RESEDA_REQUIRE(std::isfinite(churn_noise) && churn_noise >= 0, Errc::kUsage,
                   "sampler.churn_noise must be >= 0, got ", churn_noise);
  }
};

/// Heun's method of EDM on the shifted bridge, with s = c / a: x~ / a moves along eps as s falls.
///   churn     s^ = (1 + gamma) s, gamma = min(churn / N, sqrt(2) - 1) for s in [churn_min, churn_max], at the time t^
///   of
///             s^:  x <- (a^ / a) x~ + b^ y + sqrt(c^^2 - (a^ c / a)^2) churn_noise z
///   predictor x' = a' x0 + b' y + c' eps
///   corrector x' = (a' / a^) x~ + b' y + (c' - a' c^ / a^) (eps + eps') / 2, in every step but the last
/// From a time with hardly any signal (s > ratio_max) or without log-SNR, the corrector is the same rule along a / c:
///   x' = a' (x0 + x0') / 2 + b' y + c' eps + (c' / c) a (x0 - x0') / 2, the last term 0 where c = 0.
/// Noise is not raised above that of t_start. 2 N - 1 calls; order 2 with churn = 0.
/// Draws: (item, "prior", 0) by the process; ("churn", i) in step i where churn > 0, used or not.
/// Source: Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models", Algorithms 1 and 2,
/// after the shift x - b y. Official: NVlabs/edm, generate.py, which draws with churn = 0 too.
class Heun final : public Sampler {
 public:
  explicit Heun(HeunConfig config) : config_(std::move(config)) {}

  at::Tensor run(const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                 SampleContext& context) const override {
    std::vector<BridgePoint> points;
    for (const double t : time_grid(config_.walk, process)) points.push_back(bridge_point(process, t));
    const std::int64_t calls = config_.walk.calls(), steps = static_cast<std::int64_t>(points.size()) - 1;
    Condition condition{y};
    at::Tensor x = process.prior(y, context.noise, context.item);
    for (std::int64_t i = 0; i < calls; ++i) {
      BridgePoint from = points[i];
      if (i < steps) x = churned(x, y, process, i, from, context);
      const Estimates first = denoiser(x, from.t, condition);
      condition.x0_before = first.x0;
      if (i >= steps) {
        x = first.x0;
      } else {
        const BridgeStep step{i, steps - i, from, points[i + 1], x, y, first};
        const at::Tensor predicted = first_order_step(step);
        x = i + 1 == calls ? predicted : corrected(step, denoiser(predicted, step.to.t, condition));
      }
      after_step(context, i + 1, calls, x);
    }
    return x;
  }

  std::int64_t network_calls() const override { return 2 * config_.walk.calls() - 1; }

 private:
  /// Adds noise and moves `from` to the time that has it.
  at::Tensor churned(const at::Tensor& x, const at::Tensor& y, const Process& process, std::int64_t index,
                     BridgePoint& from, SampleContext& context) const {
    if (config_.churn == 0.0) return x;
    const at::Tensor z = draw_like(context, "churn", index, x);
    const double ratio = noise_to_signal(process, from.t), steps = static_cast<double>(config_.walk.calls());
    if (!from.regular || ratio < config_.churn_min || ratio > config_.churn_max) return x;
    const double gamma = std::min(config_.churn / steps, std::sqrt(2.0) - 1.0);
    const double raised = process.nearest_time(time_of_noise_to_signal(process, ratio * (1.0 + gamma)));
    if (raised <= from.t) return x;
    const BridgePoint to = bridge_point(process, raised);
    if (!to.regular) return x;
    const at::Tensor gain = to.m.a.value / from.m.a.value;
    const at::Tensor added = (to.m.c.value.square() - (gain * from.m.c.value).square()).clamp_min(0.0).sqrt();
    const at::Tensor signal = weighted_sum({{1.0, x}, {Coef(-from.m.b.value), y}});
    from = to;
    return weighted_sum({{Coef(gain), signal}, {to.m.b, y}, {Coef(config_.churn_noise * added), z}});
  }

  at::Tensor corrected(const BridgeStep& step, const Estimates& second) const {
    const Marginal &from = step.from.m, &to = step.to.m;
    const Estimates& first = step.estimates;
    const bool noisy =
        !step.from.regular || step.from.log_snr.value.min().item<double>() < -std::log(config_.walk.ratio_max);
    if (!noisy) {
      const at::Tensor gain = to.a.value / from.a.value, state = shifted_state(step);
      const Coef half(0.5 * (to.c.value - gain * from.c.value));
      return weighted_sum({{Coef(gain), state}, {to.b, step.y}, {half, first.eps}, {half, second.eps}});
    }
    const at::Tensor& c = from.c.value;
    const at::Tensor back = at::where(c == 0, at::zeros_like(c), to.c.value / c) * from.a.value;
    const Coef ahead(0.5 * (to.a.value - back)), here(0.5 * (to.a.value + back));
    return weighted_sum({{here, first.x0}, {ahead, second.x0}, {to.b, step.y}, {to.c, first.eps}});
  }

  HeunConfig config_;
};

}  // namespace

const SamplerEntry& sampler_entry_heun() {
  static const auto entry = make_component<Sampler, Heun, HeunConfig>(
      "heun", "second-order sampler of EDM with optional churn, on any bridge");
  return entry;
}

}  // namespace reseda::diffusion
