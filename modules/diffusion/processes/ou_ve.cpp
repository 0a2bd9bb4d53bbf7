#include <cmath>

#include "modules/diffusion/process.hpp"

namespace reseda::diffusion {
namespace {

struct OuVeConfig {
  double theta = 1.5;
  double sigma_min = 0.05;
  double sigma_max = 0.5;
  double t_end = 0.03;
  template <class V>
  void fields(V& v) {
    v("theta", theta, "stiffness: rate at which the mean moves from x0 to y, per unit of time");
    v("sigma_min", sigma_min, "noise scale at t = 0");
    v("sigma_max", sigma_max, "noise scale at t = 1");
    v("t_end", t_end, "time at which sampling stops");
  }
  void validate() const {
    RESEDA_REQUIRE(std::isfinite(theta) && theta > 0, Errc::kUsage, "process.theta must be > 0, got ", theta);
    RESEDA_REQUIRE(std::isfinite(sigma_min) && sigma_min > 0, Errc::kUsage, "process.sigma_min must be > 0, got ",
                   sigma_min);
    RESEDA_REQUIRE(std::isfinite(sigma_max) && sigma_max > sigma_min, Errc::kUsage,
                   "process.sigma_max must be > sigma_min, got ", sigma_max);
    RESEDA_REQUIRE(t_end > 0 && t_end < 1, Errc::kUsage, "process.t_end must be in (0, 1), got ", t_end);
  }
};

/// Ornstein-Uhlenbeck process with exponentially growing noise (OUVE):
///   dx = theta (y - x) dt + g(t) dw,  g = sigma_min (sigma_max / sigma_min)^t sqrt(2 L),  L = ln(sigma_max /
///   sigma_min) a = e^{-theta t},  b = 1 - a,  c^2 = sigma_min^2 (e^{2 L t} - e^{-2 theta t}) L / (theta + L)
/// Draws: (item, "prior", 0); the prior is y + c(1) z, whose mean is y and not the bridge's mean at 1.
/// Source: Richter et al. 2023, "Speech Enhancement and Dereverberation with Diffusion-Based Generative Models", Eqs.
/// (1) to (7). Official: sp-uhh/sgmse, sgmse/sdes.py, class OUVESDE.
class OuVe final : public Process {
 public:
  explicit OuVe(OuVeConfig config) : config_(config), log_ratio_(std::log(config.sigma_max / config.sigma_min)) {}

  Marginal at(double t) const override {
    RESEDA_REQUIRE(t >= 0, Errc::kInternal, "ou_ve: time must be >= 0, got ", t);
    return {std::exp(-config_.theta * t), -std::expm1(-config_.theta * t), sigma(t)};
  }

  Rates rate(double t) const override {
    const double decay = config_.theta * std::exp(-config_.theta * t), s = sigma(t), g = diffusion(t);
    return {-decay, decay, (g * g - 2.0 * config_.theta * s * s) / (2.0 * s)};
  }

  double t_end() const override { return config_.t_end; }

  at::Tensor prior(const at::Tensor& y, NoiseSource& noise, std::string_view item) const override {
    return y + Coef(sigma(t_start())) * draw_like(noise, {item, "prior", 0}, y);
  }

 private:
  double diffusion(double t) const {
    return config_.sigma_min * std::exp(log_ratio_ * t) * std::sqrt(2.0 * log_ratio_);
  }

  double sigma(double t) const {
    const double rate = config_.theta + log_ratio_;
    return config_.sigma_min * std::exp(-config_.theta * t) * std::sqrt(std::expm1(2.0 * rate * t) * log_ratio_ / rate);
  }

  OuVeConfig config_;
  double log_ratio_;
};

}  // namespace

const ProcessEntry& process_entry_ou_ve() {
  static const auto entry = make_component<Process, OuVe, OuVeConfig>(
      "ou_ve", "Ornstein-Uhlenbeck pull towards y with exponentially growing noise (SGMSE+)");
  return entry;
}

}  // namespace reseda::diffusion
