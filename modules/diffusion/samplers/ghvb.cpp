#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "modules/diffusion/samplers/bridge_walk.hpp"
#include "modules/diffusion/weighted_sum.hpp"

namespace reseda::diffusion {
namespace {

struct GhvbConfig {
  TimeGridConfig walk;
  double order = 2.0;
  template <class V>
  void fields(V& v) {
    walk.fields(v);
    v("order", order, "1 DDIM, 2 Adams-Bashforth, ...; a fraction adds momentum: larger region of stability");
  }
  void validate() const {
    walk.validate();
    RESEDA_REQUIRE(order > 0 && order <= 5, Errc::kUsage, "sampler.order must be in (0, 5], got ", order);
  }
};

constexpr std::size_t kMostVelocities = 5;
/// Row k - 1: weights on the newest k velocities are (constant + slope beta) / divisor.
struct Combination {
  double divisor;
  std::array<double, kMostVelocities> constant, slope;
};
constexpr std::array<Combination, kMostVelocities> kCombinations = {
    Combination{1, {0, 0, 0, 0, 0}, {1, 0, 0, 0, 0}}, Combination{2, {2, -2, 0, 0, 0}, {1, 1, 0, 0, 0}},
    Combination{12, {18, -24, 6, 0, 0}, {5, 8, -1, 0, 0}}, Combination{24, {46, -78, 42, -10, 0}, {9, 19, -5, 1, 0}},
    Combination{720, {1650, -3420, 2880, -1380, 270}, {251, 646, -264, 106, -19}}};

/// Generalised heavy-ball sampler: momentum on the estimated noise, combined as Adams-Bashforth combines velocities.
/// On the flow d(x~ / a) / d(c / a) = eps, with p = ceil(order), beta = order - p + 1 and k = min(p, known):
///   v = (1 - beta) v1 + beta eps (v1 = eps at first),   V = sum_j (u_kj + w_kj beta) v_j / beta
///   x' = a' x0 + b' y + c' eps + (c' - a' c / a) (V - eps)  [= (a' / a) x~ + b' y + (c' - a' c / a) V]
/// order = 1 is DDIM, beta = 1 is Adams-Bashforth of order p. The combinations are those of equal steps in c / a: on
/// other grids the order is at most 2. The form does not divide x~ by a small a. Steps from or to a time without
/// log-SNR are of first order, see BridgePoint. Draws: (item, "prior", 0) by the process. Source: Wizadwongsa et al.
/// 2023, "Diffusion Sampling with Momentum for Mitigating Divergence Artifacts", Sec. 4, after the shift x - b y.
/// Official: sWizad/momentum-diffusion, momentum_scheduler.py, whose first velocity is the raw network output, not eps.
class Ghvb final : public Sampler {
 public:
  explicit Ghvb(GhvbConfig config)
      : config_(std::move(config)),
        velocities_(static_cast<std::size_t>(std::ceil(config_.order))),
        beta_(config_.order - static_cast<double>(velocities_) + 1.0) {}

  at::Tensor run(const at::Tensor& y, const Process& process, const Denoiser& denoiser,
                 SampleContext& context) const override {
    std::vector<at::Tensor> past;
    return walk_bridge(config_.walk, y, process, denoiser, context, [&](const BridgeStep& step) {
      if (step.first_order()) {
        past.clear();
        return first_order_step(step);
      }
      const at::Tensor& eps = step.estimates.eps;
      past.insert(past.begin(), past.empty() ? eps : weighted_sum({{beta_, eps}, {1.0 - beta_, past.front()}}));
      if (past.size() > velocities_) past.pop_back();
      const Marginal &from = step.from.m, &to = step.to.m;
      const bool straight = past.size() == 1 && past.front().is_same(eps);
      const at::Tensor turn = straight ? at::Tensor() : combined(past) - eps;
      const Coef lever(to.c.value - to.a.value / from.a.value * from.c.value);
      return weighted_sum({{to.a, step.estimates.x0}, {to.b, step.y}, {to.c, eps}, {lever, turn}});
    });
  }

  std::int64_t network_calls() const override { return config_.walk.calls(); }

 private:
  at::Tensor combined(const std::vector<at::Tensor>& past) const {
    const Combination& row = kCombinations[past.size() - 1];
    at::Tensor sum;
    for (std::size_t j = 0; j < past.size(); ++j) {
      const double weight = (row.constant[j] + row.slope[j] * beta_) / (row.divisor * beta_);
      sum = j == 0 ? at::mul(past[j], weight) : sum.add_(past[j], weight);
    }
    return sum;
  }

  GhvbConfig config_;
  std::size_t velocities_;
  double beta_;
};

}  // namespace

const SamplerEntry& sampler_entry_ghvb() {
  static const auto entry = make_component<Sampler, Ghvb, GhvbConfig>(
      "ghvb", "generalised heavy-ball sampler of fractional order, on any bridge");
  return entry;
}

}  // namespace reseda::diffusion
