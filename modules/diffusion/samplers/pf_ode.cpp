#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "modules/diffusion/sampler.hpp"
#include "modules/diffusion/samplers/choice.hpp"
#include "modules/diffusion/samplers/reverse_step.hpp"
#include "modules/diffusion/samplers/rk45.hpp"
#include "modules/diffusion/weighted_sum.hpp"

namespace reseda::diffusion {
namespace {

struct PfOdeConfig {
  std::string method = "rk45";
  std::int64_t steps = 30;
  double rtol = 1e-5;
  double atol = 1e-5;
  std::int64_t max_calls = 10000;
  double t_eps = 0.0;
  std::string denoise = "t_eps";
  template <class V>
  void fields(V& v) {
    v("method", method, "rk45 (adaptive), euler, heun or rk4");
    v("steps", steps, "steps of euler, heun and rk4; N of the denoising step 1/N");
    v("rtol", rtol, "relative tolerance of rk45");
    v("atol", atol, "absolute tolerance of rk45");
    v("max_calls", max_calls, "network calls after which rk45 gives up");
    v("t_eps", t_eps, "smallest time; 0 takes the process's");
    v("denoise", denoise, "length of a last step of the reverse SDE's mean: t_eps, 1/N or none");
  }
  void validate() const {
    require_choice("sampler.method", method, {"rk45", "euler", "heun", "rk4"});
    require_choice("sampler.denoise", denoise, {"t_eps", "1/N", "none"});
    RESEDA_REQUIRE(steps >= 1 && steps <= 100000, Errc::kUsage, "sampler.steps must be in 1 to 100000, got ", steps);
    RESEDA_REQUIRE(rtol >= 1e-13 && rtol < 1, Errc::kUsage, "sampler.rtol must be in [1e-13, 1), got ", rtol);
    RESEDA_REQUIRE(std::isfinite(atol) && atol > 0, Errc::kUsage, "sampler.atol must be > 0, got ", atol);
    RESEDA_REQUIRE(max_calls >= 8, Errc::kUsage, "sampler.max_calls must be >= 8, got ", max_calls);
    RESEDA_REQUIRE(std::isfinite(t_eps) && t_eps >= 0, Errc::kUsage, "sampler.t_eps must be >= 0, got ", t_eps);
  }
};

/// Probability-flow ODE dx/dt = a' x0 + b' y + c' eps from t_start to t_eps, then one step of the reverse SDE's mean.
/// The state is float64 or complex128, the denoiser is called in the type of y. With rk45 every item of a batch has its
/// own steps, so it is integrated alone.
/// Draws: (item, "prior", 0) by the process.
/// Source: Song et al. 2021, "Score-Based Generative Modeling through Stochastic Differential Equations", Sec. 4.3.
/// Official: sp-uhh/sgmse, sgmse/sampling/__init__.py, get_ode_sampler; its denoising step fails since June 2024, 1/N
/// is what it was before.
class PfOde final : public Sampler {
 public:
  explicit PfOde(PfOdeConfig config) : config_(std::move(config)) {}

  at::Tensor run(const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                 SampleContext& context) const override {
    const double start = process.t_start(), end = config_.t_eps > 0 ? config_.t_eps : process.t_end();
    RESEDA_REQUIRE(end < start, Errc::kUsage, "sampler.t_eps must be < ", start, ", where the process starts, got ",
                   end);
    at::Tensor x = process.prior(y, context.noise, context.item);
    x = x.to(x.is_complex() ? at::kComplexDouble : at::kDouble);
    std::int64_t done = 0;
    if (config_.method == "rk45") {
      std::vector<at::Tensor> items;
      for (std::int64_t i = 0; i < y.size(0); ++i)
        items.push_back(adaptive(x.narrow(0, i, 1), y.narrow(0, i, 1), process, denoiser, start, end, done, context));
      if (!items.empty()) x = at::cat(items);
    } else {
      x = fixed(std::move(x), y, process, denoiser, start, end, done, context);
    }
    x = x.to(y.scalar_type());
    if (config_.denoise != "none") {
      const double dt = config_.denoise == "t_eps" ? end : 1.0 / static_cast<double>(config_.steps);
      x = reverse_step(process, end, dt).mean(x, y, denoiser(x, end, Condition{y}));
    }
    after_step(context, done + 1, done + 1, x);
    return x;
  }

  std::int64_t network_calls() const override {
    if (config_.method == "rk45") return -1;
    const std::int64_t per_step = config_.method == "euler" ? 1 : config_.method == "heun" ? 2 : 4;
    return config_.steps * per_step + (config_.denoise == "none" ? 0 : 1);
  }

 private:
  /// The velocity in the precision of the state, as f x + h y + (c' - f c) eps. Near the degraded end of a bridge,
  /// where a vanishes, f has a pole and c' is so large that single precision's rounding of eps would drown the flow:
  /// there it is a' x0 + b' y + c' eps with eps solved from x0 in double precision.
  static Velocity velocity(const at::Tensor& y, const Process& process, const Denoiser& denoiser) {
    const at::Tensor wide = y.to(y.is_complex() ? at::kComplexDouble : at::kDouble);
    return [&y, wide, &process, &denoiser](double t, const at::Tensor& x) {
      const Estimates estimates = denoiser(x.to(y.scalar_type()), t, Condition{y});
      const Marginal m = process.at(t);
      const Rates r = process.rate(t);
      if (at::all(m.a.value.abs() < 0.1 * m.c.value).item<bool>()) {
        const at::Tensor x0 = estimates.x0.to(x.scalar_type());
        return weighted_sum({{r.a, x0}, {r.b, wide}, {r.c, estimates_from(Target::kX0, x0, x, wide, m, r).eps}});
      }
      const ForwardSde sde = forward_sde(m, r);
      return weighted_sum({{sde.f, x}, {sde.h, wide}, {Coef(r.c.value - sde.f.value * m.c.value), estimates.eps}});
    };
  }

  at::Tensor adaptive(const at::Tensor& x, const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                      double start, double end, std::int64_t& done, SampleContext& context) const {
    const auto report = [&](double, const at::Tensor& state) { after_step(context, ++done, 0, state); };
    return integrate_rk45(velocity(y, process, denoiser), x, start, end,
                          {.rtol = config_.rtol, .atol = config_.atol, .max_calls = config_.max_calls}, report);
  }

  at::Tensor fixed(at::Tensor x, const at::Tensor& y, const Process& process, const Denoiser& denoiser, double start,
                   double end, std::int64_t& done, SampleContext& context) const {
    const Velocity flow = velocity(y, process, denoiser);
    const auto time = [&](std::int64_t i) {
      return i == config_.steps ? end
                                : start + (end - start) * static_cast<double>(i) / static_cast<double>(config_.steps);
    };
    for (std::int64_t i = 0; i < config_.steps; ++i) {
      x = step(flow, x, time(i), time(i + 1));
      after_step(context, ++done, config_.steps + 1, x);
    }
    return x;
  }

  at::Tensor step(const Velocity& flow, const at::Tensor& x, double t, double t_next) const {
    const double h = t_next - t;
    const at::Tensor k1 = flow(t, x);
    if (config_.method == "euler") return at::add(x, k1, h);
    if (config_.method == "heun") return at::add(x, k1 + flow(t_next, at::add(x, k1, h)), h / 2);
    const at::Tensor k2 = flow(t + h / 2, at::add(x, k1, h / 2));
    const at::Tensor k3 = flow(t + h / 2, at::add(x, k2, h / 2));
    const at::Tensor k4 = flow(t_next, at::add(x, k3, h));
    return at::add(at::add(x, k1 + k4, h / 6), k2 + k3, h / 3);
  }

  PfOdeConfig config_;
};

}  // namespace

const SamplerEntry& sampler_entry_pf_ode() {
  static const auto entry = make_component<Sampler, PfOde, PfOdeConfig>(
      "pf_ode", "probability-flow ODE: adaptive Dormand-Prince or fixed steps");
  return entry;
}

}  // namespace reseda::diffusion
