#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "modules/diffusion/samplers/bridge_walk.hpp"
#include "modules/diffusion/samplers/choice.hpp"
#include "modules/diffusion/weighted_sum.hpp"

namespace reseda::diffusion {
namespace {

struct UniPcConfig {
  TimeGridConfig walk;
  std::int64_t order = 2;
  std::string variant = "bh2";
  bool corrector = true;
  template <class V>
  void fields(V& v) {
    walk.fields(v);
    v("order", order, "order of the predictor, 1 to 3; the corrector has one more");
    v("variant", variant, "B(h): bh1 = h, bh2 = e^h - 1");
    v("corrector", corrector, "correct each state by the estimate at it, at no further call");
  }
  void validate() const {
    walk.validate();
    RESEDA_REQUIRE(order >= 1 && order <= 3, Errc::kUsage, "sampler.order must be in 1 to 3, got ", order);
    require_choice("sampler.variant", variant, {"bh1", "bh2"});
  }
};

/// An estimate of x0 at an earlier regular time.
struct Past {
  at::Tensor x0, log_snr;
};

/// Solves sum_j r_j^i p_j = b_i, i = 0, 1, ..., elementwise, after Bjoerck and Pereyra 1970.
std::vector<at::Tensor> solve_powers(const std::vector<at::Tensor>& r, std::vector<at::Tensor> b) {
  const std::size_t n = r.size();
  b.resize(n);
  for (std::size_t k = 0; k + 1 < n; ++k)
    for (std::size_t i = n - 1; i > k; --i) b[i] = b[i] - r[k] * b[i - 1];
  for (std::size_t k = n > 0 ? n - 1 : 0; k-- > 0;) {
    for (std::size_t i = k + 1; i < n; ++i) b[i] = b[i] / (r[i] - r[i - k - 1]);
    for (std::size_t i = k; i + 1 < n; ++i) b[i] = b[i] - b[i + 1];
  }
  return b;
}

/// The state at the next time: base + sum weight_k m_k + next m', m' the estimate at the state itself.
struct Update {
  at::Tensor base;
  std::vector<at::Tensor> weights;
  at::Tensor next;
};

/// UniPC in data prediction on the shifted bridge. With l = ln(a / c), h = l' - l, E = 1 - e^{-h}, B = h or E,
/// r_k = (l_k - l) / h < 0 for the p - 1 estimates before the newest, D_k = (m_k - m0) / r_k:
///   base       (c' / c) x~ + b' y + a' E m0
///   predictor  x' = base + a' B sum_{k<p} p_k D_k
///   corrector  x' = base + a' B [sum_{k<p} q_k D_k + q_p (m' - m0)],  m' the estimate at the predicted x'
/// The weights solve sum_k r_k^{i-1} q_k = g_i, i = 1 .. p, r_p = 1 (the first p - 1 rows for p_k), where g_i makes the
/// step exact for x0 polynomial in l; p_1 = 1/2 at p = 2 and q_1 = 1/2 at p = 1. m' is the estimate the next step
/// starts from. The order grows with the history and falls towards the end; the last state is not corrected. Steps from
/// or to a time without log-SNR are of first order, see BridgePoint. Draws: (item, "prior", 0) by the process. Source:
/// Zhao et al. 2023, "UniPC: A Unified Predictor-Corrector Framework for Fast Sampling of Diffusion Models", Algorithms
/// 1, 5 and 6, after the shift x - b y. Official: wl-zhao/UniPC, uni_pc.py, whose default is bh1.
class UniPc final : public Sampler {
 public:
  explicit UniPc(UniPcConfig config) : config_(std::move(config)) {}

  at::Tensor run(const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                 SampleContext& context) const override {
    std::vector<Past> past;
    Update pending;
    return walk_bridge(config_.walk, y, process, denoiser, context, [&](const BridgeStep& step) {
      const at::Tensor x = pending.base.defined() ? combined(pending, past, step.estimates.x0) : step.x;
      const BridgeStep from{step.index, step.remaining, step.from, step.to, x, step.y, step.estimates};
      pending = {};
      if (!step.from.regular) past.clear();
      if (step.first_order()) return first_order_step(from);
      past.insert(past.begin(), {step.estimates.x0, step.from.log_snr.value});
      if (past.size() > static_cast<std::size_t>(config_.order)) past.pop_back();
      const auto order = std::min(past.size(), static_cast<std::size_t>(step.remaining));
      return predict(from, past, order, pending);
    });
  }

  std::int64_t network_calls() const override { return config_.walk.calls(); }

 private:
  /// The predicted state at the next time; what its correction needs is left in `pending`.
  at::Tensor predict(const BridgeStep& step, const std::vector<Past>& past, std::size_t order, Update& pending) const {
    const at::Tensor h = step.to.log_snr.value - past[0].log_snr, e = -at::expm1(-h), &a = step.to.m.a.value;
    const at::Tensor b = config_.variant == "bh1" ? h : e, state = shifted_state(step);
    const at::Tensor base =
        weighted_sum({{Coef(step.to.m.c.value / step.from.m.c.value), state}, {step.to.m.b, step.y}});
    std::vector<at::Tensor> r, known = moments(h, b, order);
    for (std::size_t k = 1; k < order; ++k) r.push_back((past[k].log_snr - past[0].log_snr) / h);
    const std::vector<at::Tensor> p = order == 2 ? std::vector{at::full_like(h, 0.5)} : solve_powers(r, known);
    const Update prediction{base, estimate_weights(a * e, a * b, r, p), {}};
    if (config_.corrector) {
      r.push_back(at::ones_like(h));
      std::vector<at::Tensor> q = order == 1 ? std::vector{at::full_like(h, 0.5)} : solve_powers(r, known);
      const at::Tensor next = a * b * q.back();
      r.pop_back();
      q.pop_back();
      pending = {base, estimate_weights(a * e, a * b, r, q), next};
      pending.weights[0] = pending.weights[0] - next;
    }
    return combined(prediction, past, {});
  }

  /// g_i for i = 1 .. order, with u = -h: g_i = i! f_i / B(u), f_1 = (e^u - 1) / u - 1, f_{i+1} = f_i / u - 1 / (i+1)!.
  static std::vector<at::Tensor> moments(const at::Tensor& h, const at::Tensor& b, std::size_t order) {
    std::vector<at::Tensor> g;
    at::Tensor f = at::expm1(-h) / -h - 1.0;
    double factorial = 1.0;
    for (std::size_t i = 1; i <= order; ++i) {
      g.push_back(f * factorial / -b);
      factorial *= static_cast<double>(i + 1);
      f = f / -h - 1.0 / factorial;
    }
    return g;
  }

  /// Weights on m0, m1, ... of gain m0 + scale sum_k p_k (m_k - m0) / r_k.
  static std::vector<at::Tensor> estimate_weights(const at::Tensor& gain, const at::Tensor& scale,
                                                  const std::vector<at::Tensor>& r, const std::vector<at::Tensor>& p) {
    std::vector<at::Tensor> weights = {gain};
    for (std::size_t k = 0; k < r.size(); ++k) {
      weights.push_back(scale * p[k] / r[k]);
      weights[0] = weights[0] - weights.back();
    }
    return weights;
  }

  static at::Tensor combined(const Update& update, const std::vector<Past>& past, const at::Tensor& next) {
    const auto m = [&](std::size_t k) { return k < update.weights.size() ? past[k].x0 : at::Tensor(); };
    const auto weight = [&](std::size_t k) { return k < update.weights.size() ? Coef(update.weights[k]) : Coef(0.0); };
    const at::Tensor m0 = m(0), m1 = m(1), m2 = m(2);
    return weighted_sum({{1.0, update.base},
                         {weight(0), m0},
                         {weight(1), m1},
                         {weight(2), m2},
                         {update.next.defined() ? Coef(update.next) : Coef(0.0), next}});
  }

  UniPcConfig config_;
};

}  // namespace

const SamplerEntry& sampler_entry_unipc() {
  static const auto entry =
      make_component<Sampler, UniPc, UniPcConfig>("unipc", "UniPC predictor-corrector of orders 1 to 3, on any bridge");
  return entry;
}

}  // namespace reseda::diffusion
