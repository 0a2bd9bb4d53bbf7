#include "modules/diffusion/processes/ve.hpp"

#include <cmath>

namespace reseda::diffusion {

void VeConfig::validate() const {
  RESEDA_REQUIRE(std::isfinite(sigma_min) && sigma_min > 0, Errc::kUsage, "process.sigma_min must be > 0, got ",
                 sigma_min);
  RESEDA_REQUIRE(std::isfinite(sigma_max) && sigma_max > sigma_min, Errc::kUsage,
                 "process.sigma_max must be > sigma_min, got ", sigma_max);
  RESEDA_REQUIRE(t_end >= 0 && t_end < 1, Errc::kUsage, "process.t_end must be in [0, 1), got ", t_end);
}

Ve::Ve(VeConfig config) : config_(config), log_ratio_(std::log(config.sigma_max / config.sigma_min)) {
  config_.validate();
}

Marginal Ve::at(double t) const {
  RESEDA_REQUIRE(t >= 0, Errc::kInternal, "ve: time must be >= 0, got ", t);
  return {1.0, 0.0, sigma(t)};
}

Rates Ve::rate(double t) const { return {0.0, 0.0, log_ratio_ * sigma(t)}; }

at::Tensor Ve::prior(const at::Tensor& y, NoiseSource& noise, std::string_view item) const {
  return Coef(config_.sigma_max) * draw_like(noise, {item, "prior", 0}, y);
}

double Ve::sigma(double t) const { return config_.sigma_min * std::exp(log_ratio_ * t); }

const ProcessEntry& process_entry_ve() {
  static const auto entry = make_component<Process, Ve, VeConfig>(
      "ve", "variance exploding: x0 under geometrically growing noise, without y (score-MRI, DiffusionMBIR)");
  return entry;
}

}  // namespace reseda::diffusion
