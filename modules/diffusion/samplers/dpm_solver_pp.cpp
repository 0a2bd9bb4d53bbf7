#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "modules/diffusion/samplers/bridge_walk.hpp"
#include "modules/diffusion/samplers/choice.hpp"
#include "modules/diffusion/weighted_sum.hpp"

namespace reseda::diffusion {
namespace {

struct DpmSolverPpConfig {
  TimeGridConfig walk;
  std::int64_t order = 2;
  std::string variant = "midpoint";
  double eta = 0.0;
  std::string lower_order_final = "auto";
  template <class V>
  void fields(V& v) {
    walk.fields(v);
    v("order", order, "1 (DDIM), 2 (2M) or 3 (3M): estimates that a step extrapolates");
    v("variant", variant, "second order: midpoint, or taylor (Heun's form)");
    v("eta", eta, "share of the reverse SDE's noise: 0 the probability flow, 1 SDE-DPM-Solver++");
    v("lower_order_final", lower_order_final, "fewer estimates in the last steps: auto (below 10 steps), yes, no");
  }
  void validate() const {
    walk.validate();
    RESEDA_REQUIRE(order >= 1 && order <= 3, Errc::kUsage, "sampler.order must be in 1 to 3, got ", order);
    require_choice("sampler.variant", variant, {"midpoint", "taylor"});
    RESEDA_REQUIRE(eta >= 0 && eta <= 1, Errc::kUsage, "sampler.eta must be in [0, 1], got ", eta);
    require_choice("sampler.lower_order_final", lower_order_final, {"auto", "yes", "no"});
  }
};

/// Estimates of x0 at earlier regular times, the newest first.
struct Past {
  at::Tensor x0, log_snr;
};

/// Weights of x' = state x~ + b' y + sum w_k m_k + noise z, the estimates m_k of x0 from the newest on.
struct Weights {
  at::Tensor state, noise;
  std::vector<at::Tensor> m;
};

/// DPM-Solver++ multistep on the shifted bridge. With l = ln(a / c), h = l' - l, H = (1 + eta) h, E = 1 - e^{-H}:
///   x' = (c' / c) e^{-eta h} x~ + b' y + a' [E m0 + P D1 - Q D2] + c' sqrt(1 - e^{-2 eta h}) z
///   2M  r0 = (l - l1) / h, D1 = (m0 - m1) / r0, D2 = 0, P = E / 2 (midpoint) or 1 - E / H (taylor)
///   3M  r1 = (l1 - l2) / h, d0 = (m0 - m1) / r0, d1 = (m1 - m2) / r1, D1 = d0 + r0 / (r0 + r1) (d0 - d1),
///       D2 = (d0 - d1) / (r0 + r1), P = 1 - E / H, Q = P / H - 1/2
/// Orders 2 and 3 where eta = 0. Steps from or to a time without log-SNR are of first order, see BridgePoint; the step
/// to a state without noise is x' = a' m0 + b' y.
/// Draws: (item, "prior", 0) by the process; ("predictor", i) after call i where eta > 0 and the state goes on.
/// Source: Lu et al. 2022, "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models", Algorithm
/// 2, App. B, Sec. 5 for the SDE; after the shift x - b y. Official: LuChengTHU/dpm-solver, dpm_solver_pytorch.py.
class DpmSolverPp final : public Sampler {
 public:
  explicit DpmSolverPp(DpmSolverPpConfig config) : config_(std::move(config)) {}

  at::Tensor run(const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                 SampleContext& context) const override {
    std::vector<Past> past;
    return walk_bridge(config_.walk, y, process, denoiser, context, [&](const BridgeStep& step) {
      const at::Tensor z =
          config_.eta > 0 ? draw_like(context, "predictor", step.index, step.estimates.x0) : at::Tensor();
      if (!step.from.regular) past.clear();
      if (step.from.regular) past.insert(past.begin(), {step.estimates.x0, step.from.log_snr.value});
      if (past.size() > static_cast<std::size_t>(config_.order)) past.pop_back();
      return step.first_order() ? irregular(step, z) : extrapolate(step, past, z);
    });
  }

  std::int64_t network_calls() const override { return config_.walk.calls(); }

 private:
  /// First order: eps keeps the share rho^eta of c', rho = a c' / (a' c) = e^{-h} (0 where it has no meaning).
  at::Tensor irregular(const BridgeStep& step, const at::Tensor& z) const {
    if (config_.eta == 0.0) return first_order_step(step);
    const Marginal &from = step.from.m, &to = step.to.m;
    const at::Tensor up = from.a.value * to.c.value, down = to.a.value * from.c.value;
    const at::Tensor rho = at::where(down == 0, at::zeros_like(down), up / down).clamp(0.0, 1.0);
    const Coef kept(to.c.value * rho.pow(config_.eta)), fresh(to.c.value * (1.0 - rho.pow(2.0 * config_.eta)).sqrt());
    return weighted_sum({{to.a, step.estimates.x0}, {to.b, step.y}, {kept, step.estimates.eps}, {fresh, z}});
  }

  std::int64_t order_of(const BridgeStep& step, std::size_t known) const {
    const bool falls =
        config_.lower_order_final == "yes" || (config_.lower_order_final == "auto" && config_.walk.calls() < 10);
    const auto most = std::min<std::int64_t>(config_.order, static_cast<std::int64_t>(known));
    return falls ? std::min(most, step.remaining) : most;
  }

  at::Tensor extrapolate(const BridgeStep& step, const std::vector<Past>& past, const at::Tensor& z) const {
    const Weights w = weights(step, past, order_of(step, past.size()));
    const auto m = [&](std::size_t k) { return k < w.m.size() ? past[k].x0 : at::Tensor(); };
    const auto weight = [&](std::size_t k) { return k < w.m.size() ? Coef(w.m[k]) : Coef(0.0); };
    const at::Tensor state = shifted_state(step), m0 = m(0), m1 = m(1), m2 = m(2);
    return weighted_sum({{Coef(w.state), state},
                         {step.to.m.b, step.y},
                         {weight(0), m0},
                         {weight(1), m1},
                         {weight(2), m2},
                         {Coef(w.noise), z}});
  }

  Weights weights(const BridgeStep& step, const std::vector<Past>& past, std::int64_t order) const {
    const at::Tensor &a = step.to.m.a.value, &c = step.to.m.c.value;
    const at::Tensor h = step.to.log_snr.value - past[0].log_snr, long_h = (1.0 + config_.eta) * h;
    const at::Tensor e = -at::expm1(-long_h), phi = 1.0 - e / long_h;
    Weights w{c / step.from.m.c.value * at::exp(-config_.eta * h), c * (-at::expm1(-2.0 * config_.eta * h)).sqrt(), {}};
    if (order == 1) {
      w.m = {a * e};
    } else if (order == 2) {
      const at::Tensor r0 = (past[0].log_snr - past[1].log_snr) / h;
      const at::Tensor p = (config_.variant == "midpoint" ? 0.5 * e : phi) / r0;
      w.m = {a * (e + p), -a * p};
    } else {
      const at::Tensor r0 = (past[0].log_snr - past[1].log_snr) / h, r1 = (past[1].log_snr - past[2].log_snr) / h;
      const at::Tensor span = r0 + r1, turn = (phi * r0 - phi / long_h + 0.5) / span;
      const at::Tensor d0 = (phi + turn) / r0, d1 = -turn / r1;
      w.m = {a * (e + d0), a * (d1 - d0), -a * d1};
    }
    return w;
  }

  DpmSolverPpConfig config_;
};

}  // namespace

const SamplerEntry& sampler_entry_dpm_solver_pp() {
  static const auto entry = make_component<Sampler, DpmSolverPp, DpmSolverPpConfig>(
      "dpm_solver_pp", "DPM-Solver++ of orders 1 to 3 (2M, 3M), deterministic or stochastic, on any bridge");
  return entry;
}

}  // namespace reseda::diffusion
