#include <ATen/ATen.h>

#include <cmath>
#include <string>

#include "modules/diffusion/sampler.hpp"
#include "modules/diffusion/samplers/choice.hpp"
#include "modules/diffusion/weighted_sum.hpp"

namespace reseda::diffusion {
namespace {

struct InterpolantSdeConfig {
  std::int64_t steps = 50;
  double epsilon = 0.0;
  std::string spread = "even";
  std::string scheme = "heun";
  template <class V>
  void fields(V& v) {
    v("steps", steps, "steps between the start and the end of the process");
    v("epsilon", epsilon, "stochasticity: 0 is the probability flow, any other value an SDE with the same marginals");
    v("spread", spread, "epsilon over time: even, or with_noise, proportional to the noise c of the process");
    v("scheme", scheme, "euler (one call a step) or heun (two)");
  }
  void validate() const {
    RESEDA_REQUIRE(steps >= 1 && steps <= 100000, Errc::kUsage, "sampler.steps must be in 1 to 100000, got ", steps);
    RESEDA_REQUIRE(std::isfinite(epsilon) && epsilon >= 0, Errc::kUsage, "sampler.epsilon must be >= 0, got ", epsilon);
    require_choice("sampler.spread", spread, {"even", "with_noise"});
    require_choice("sampler.scheme", scheme, {"euler", "heun"});
  }
};

/// The family of reverse SDEs that share the marginals of a process, one for each stochasticity e >= 0, from t_start to
/// t_end in even steps h, with velocity u = a' x0 + b' y + c' eps and score s = -eps / c:
///   x~ = x + sqrt(2 e h) z,   euler  x~ - h D(t, x~),   heun  x~ - h (D(t, x~) + D(t - h, x~ - h D(t, x~))) / 2
///   D = u - e s
/// The state is float64, the denoiser is called in the type of y. The result is the estimate of x0 at t_end. Any
/// process will do; without its noise (c = 0) there is no score and e is taken as 0.
/// Draws: (item, "prior", 0) by the process; ("predictor", i) before step i where epsilon > 0.
/// Source: Albergo, Boffi, Vanden-Eijnden 2023, "Stochastic Interpolants: A Unifying Framework for Flows and
/// Diffusions", Secs. 2 and 6. Official: malbergo/stochastic-interpolants, interflow/stochastic_interpolant.py, which
/// takes both slopes of heun at the later time.
class InterpolantSde final : public Sampler {
 public:
  explicit InterpolantSde(InterpolantSdeConfig config) : config_(std::move(config)) {}

  at::Tensor run(const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                 SampleContext& context) const override {
    const double start = process.t_start(), end = process.t_end();
    const auto time = [&](std::int64_t i) {
      return i == config_.steps ? end
                                : start + (end - start) * static_cast<double>(i) / static_cast<double>(config_.steps);
    };
    const at::Tensor wide = y.to(y.is_complex() ? at::kComplexDouble : at::kDouble);
    at::Tensor x = process.prior(y, context.noise, context.item).to(wide.scalar_type());
    for (std::int64_t i = 0; i < config_.steps; ++i) {
      const double t = time(i), h = t - time(i + 1);
      if (config_.epsilon > 0) {
        const Coef spread(at::sqrt(2.0 * h * stochasticity(process.at(t))));
        x = weighted_sum({{1.0, x}, {spread, draw_like(context, "predictor", i, x)}});
      }
      const at::Tensor first = drift(process, denoiser, t, x, wide, y.scalar_type());
      at::Tensor next = at::add(x, first, -h);
      if (config_.scheme == "heun")
        next = at::add(x, first + drift(process, denoiser, t - h, next, wide, y.scalar_type()), -0.5 * h);
      x = next;
      after_step(context, i + 1, config_.steps + 1, x);
    }
    x = denoiser(x.to(y.scalar_type()), end, Condition{y}).x0;
    after_step(context, config_.steps + 1, config_.steps + 1, x);
    return x;
  }

  std::int64_t network_calls() const override { return config_.steps * (config_.scheme == "heun" ? 2 : 1) + 1; }

 private:
  at::Tensor stochasticity(const Marginal& m) const {
    const at::Tensor& c = m.c.value;
    const at::Tensor even = config_.spread == "even" ? at::full_like(c, config_.epsilon) : config_.epsilon * c;
    return at::where(c == 0, at::zeros_like(c), even);
  }

  /// a' x0 + b' y + c' eps + (e / c) eps in float64. Where c' is large (the far end of a pinned bridge) a rounded eps
  /// would drown the rest: there it is the one that agrees with x0.
  at::Tensor drift(const Process& process, const Denoiser& denoiser, double t, const at::Tensor& x, const at::Tensor& y,
                   at::ScalarType type) const {
    const Marginal m = process.at(t);
    const Rates r = process.rate(t);
    const Estimates found = denoiser(x.to(type), t, Condition{y.to(type)});
    const at::Tensor x0 = found.x0.to(x.scalar_type());
    const at::Tensor& c = m.c.value;
    const bool pinned = at::all(m.a.value.abs() < 0.1 * c).item<bool>();
    const at::Tensor eps = pinned ? estimates_from(Target::kX0, x0, x, y, m, r).eps : found.eps.to(x.scalar_type());
    const at::Tensor pull = at::where(c == 0, at::zeros_like(c), stochasticity(m) / c);
    return weighted_sum({{r.a, x0}, {r.b, y}, {Coef(r.c.value + pull), eps}});
  }

  InterpolantSdeConfig config_;
};

}  // namespace

const SamplerEntry& sampler_entry_interpolant_sde() {
  static const auto entry = make_component<Sampler, InterpolantSde, InterpolantSdeConfig>(
      "interpolant_sde", "probability flow or an SDE with the same marginals, with a knob for its stochasticity");
  return entry;
}

}  // namespace reseda::diffusion
