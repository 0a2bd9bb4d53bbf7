#include "modules/diffusion/processes/sb_ve.hpp"

#include <algorithm>
#include <cmath>

namespace reseda::diffusion {

void SbVeConfig::validate() const {
  RESEDA_REQUIRE(std::isfinite(k) && k > 0, Errc::kUsage, "process.k must be > 0, got ", k);
  RESEDA_REQUIRE(std::isfinite(c) && c > 0, Errc::kUsage, "process.c must be > 0, got ", c);
  RESEDA_REQUIRE(eps >= 0 && eps <= 1e-3, Errc::kUsage, "process.eps must be in [0, 1e-3], got ", eps);
  RESEDA_REQUIRE(t_end > 0 && t_end < 1, Errc::kUsage, "process.t_end must be in (0, 1), got ", t_end);
}

SbVe::SbVe(SbVeConfig config) : config_(config), total_(variance(1.0)) {}

Marginal SbVe::at(double t) const {
  RESEDA_REQUIRE(t >= 0, Errc::kInternal, "sb_ve: time must be >= 0, got ", t);
  const double passed = variance(t), left = remaining(passed), norm = total_ + config_.eps;
  return {left / norm, passed / norm, std::sqrt(left * passed) / (std::sqrt(total_) + config_.eps)};
}

Rates SbVe::rate(double t) const {
  const double passed = variance(t), left = remaining(passed), norm = total_ + config_.eps;
  const double growth = config_.c * std::exp(2.0 * t * std::log(config_.k));
  const double spread = 2.0 * std::sqrt(left * passed) * (std::sqrt(total_) + config_.eps);
  return {-growth / norm, growth / norm, growth * (left - passed) / spread};
}

at::Tensor SbVe::prior(const at::Tensor& y, NoiseSource&, std::string_view) const { return y; }

/// s^2(t); the limit c t at k = 1 is a Brownian bridge.
double SbVe::variance(double t) const {
  const double exponent = 2.0 * std::log(config_.k);
  return exponent == 0.0 ? config_.c * t : config_.c * std::expm1(exponent * t) / exponent;
}

double SbVe::remaining(double passed) const { return std::max(total_ - passed, 0.0) + config_.eps; }

const ProcessEntry& process_entry_sb_ve() {
  static const auto entry = make_component<Process, SbVe, SbVeConfig>(
      "sb_ve", "Schroedinger bridge from x0 to y with a variance-exploding reference process");
  return entry;
}

}  // namespace reseda::diffusion
