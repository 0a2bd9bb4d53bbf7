#include "modules/diffusion/processes/karras_ve.hpp"

#include <algorithm>
#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::diffusion {

void KarrasVeConfig::validate() const {
  RESEDA_REQUIRE(scales >= 2 && scales <= 1000000, Errc::kUsage, "process.scales must be 2 to 1000000, got ", scales);
  RESEDA_REQUIRE(std::isfinite(sigma_min) && sigma_min > 0, Errc::kUsage, "process.sigma_min must be > 0, got ",
                 sigma_min);
  RESEDA_REQUIRE(std::isfinite(sigma_max) && sigma_max > sigma_min, Errc::kUsage,
                 "process.sigma_max must be > sigma_min, got ", sigma_max);
  RESEDA_REQUIRE(std::isfinite(sigma_data) && sigma_data > 0, Errc::kUsage, "process.sigma_data must be > 0, got ",
                 sigma_data);
  RESEDA_REQUIRE(std::isfinite(rho) && rho >= 1, Errc::kUsage, "process.rho must be >= 1, got ", rho);
  RESEDA_REQUIRE(time == "nearest_grid" || time == "exact", Errc::kUsage,
                 "process.time must be nearest_grid or exact, got '", time, "'");
}

KarrasVe::KarrasVe(KarrasVeConfig config) : config_(std::move(config)) {
  config_.validate();
  const double high = std::pow(config_.sigma_max, 1 / config_.rho), low = std::pow(config_.sigma_min, 1 / config_.rho);
  const auto last = static_cast<double>(config_.scales - 1);
  for (std::int64_t i = 0; i < config_.scales; ++i)
    grid_.push_back(std::pow(high + static_cast<double>(i) / last * (low - high), config_.rho));
}

std::size_t KarrasVe::nearest(double t) const {
  const auto closer = [t](double a, double b) { return std::abs(a - t) < std::abs(b - t); };
  return static_cast<std::size_t>(std::min_element(grid_.begin(), grid_.end(), closer) - grid_.begin());
}

double KarrasVe::told(double t) const { return config_.time == "exact" ? t : grid_[nearest(t)]; }

at::Tensor KarrasVe::prior(const at::Tensor& y, NoiseSource& noise, std::string_view item) const {
  return Coef(config_.sigma_max) * draw_like(noise, {item, "prior", 0}, y);
}

double KarrasVe::network_time(double t) const { return 250 * std::log(told(t)); }

double KarrasVe::network_scale(double t) const { return 1 / std::hypot(told(t), config_.sigma_data); }

const ProcessEntry& process_entry_karras_ve() {
  static const auto entry = make_component<Process, KarrasVe, KarrasVeConfig>(
      "karras_ve", "variance exploding on the grid of Karras et al.: x0 under noise whose scale is the time (rRCM)");
  return entry;
}

}  // namespace reseda::diffusion
