#include <algorithm>
#include <cmath>

#include "modules/diffusion/process.hpp"

namespace reseda::diffusion {
namespace {

struct SbVeConfig {
  double k = 2.6;
  double c = 0.4;
  double eps = 1e-8;
  double t_end = 1e-4;
  template <class V>
  void fields(V& v) {
    v("k", k, "base of the growth of the diffusion g = sqrt(c) k^t");
    v("c", c, "square of the diffusion at t = 0");
    v("eps", eps, "added to the remaining variance so that it never vanishes; 0 pins the bridge to y at t = 1");
    v("t_end", t_end, "time at which sampling stops");
  }
  void validate() const {
    RESEDA_REQUIRE(std::isfinite(k) && k > 0, Errc::kUsage, "sb_ve.k must be > 0, got ", k);
    RESEDA_REQUIRE(std::isfinite(c) && c > 0, Errc::kUsage, "sb_ve.c must be > 0, got ", c);
    RESEDA_REQUIRE(eps >= 0 && eps <= 1e-3, Errc::kUsage, "sb_ve.eps must be in [0, 1e-3], got ", eps);
    RESEDA_REQUIRE(t_end > 0 && t_end < 1, Errc::kUsage, "sb_ve.t_end must be in (0, 1), got ", t_end);
  }
};

/// Schroedinger bridge between x0 and y with a variance-exploding reference process, g = sqrt(c) k^t:
///   s^2(t) = c (k^{2t} - 1) / (2 ln k),  r^2(t) = s^2(1) - s^2(t) + eps,  S = s(1)
///   a = r^2 / (S^2 + eps),  b = s^2 / (S^2 + eps) = 1 - a,  c = r s / (S + eps)
/// Deterministic: the bridge starts at y itself.
/// Source: Jukic et al. 2024, "Schroedinger Bridge for Generative Speech Enhancement", Sec. 3; Richter et al. 2025,
/// "Investigating Training Objectives for Generative Speech Enhancement". Official: sp-uhh/sgmse, sgmse/sdes.py, class
/// SBVESDE, which works in float32; the difference S^2 - s^2 is kept at 0 or above here.
class SbVe final : public Process {
 public:
  explicit SbVe(SbVeConfig config) : config_(config), total_(variance(1.0)) {}

  Marginal at(double t) const override {
    RESEDA_REQUIRE(t >= 0, Errc::kInternal, "sb_ve: time must be >= 0, got ", t);
    const double passed = variance(t), left = remaining(passed), norm = total_ + config_.eps;
    return {left / norm, passed / norm, std::sqrt(left * passed) / (std::sqrt(total_) + config_.eps)};
  }

  Rates rate(double t) const override {
    const double passed = variance(t), left = remaining(passed), norm = total_ + config_.eps;
    const double growth = config_.c * std::exp(2.0 * t * std::log(config_.k));
    const double spread = 2.0 * std::sqrt(left * passed) * (std::sqrt(total_) + config_.eps);
    return {-growth / norm, growth / norm, growth * (left - passed) / spread};
  }

  double t_end() const override { return config_.t_end; }

  at::Tensor prior(const at::Tensor& y, NoiseSource&, std::string_view) const override { return y; }

 private:
  /// s^2(t); the limit c t at k = 1 is a Brownian bridge.
  double variance(double t) const {
    const double exponent = 2.0 * std::log(config_.k);
    return exponent == 0.0 ? config_.c * t : config_.c * std::expm1(exponent * t) / exponent;
  }
  double remaining(double passed) const { return std::max(total_ - passed, 0.0) + config_.eps; }

  SbVeConfig config_;
  double total_;
};

}  // namespace

const ProcessEntry& process_entry_sb_ve() {
  static const auto entry = make_component<Process, SbVe, SbVeConfig>(
      "sb_ve", "Schroedinger bridge from x0 to y with a variance-exploding reference process");
  return entry;
}

}  // namespace reseda::diffusion
