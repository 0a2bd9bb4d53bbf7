#include "modules/diffusion/processes/resshift.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::diffusion {
namespace {

/// 0 for the clean end, then sqrt(eta) of the steps.
std::vector<double> from_clean(const std::vector<double>& roots) {
  std::vector<double> out = {0.0};
  out.insert(out.end(), roots.begin(), roots.end());
  return out;
}

}  // namespace

void ResshiftConfig::validate() const {
  coefficients.validate();
  require_choice("process.times", times, {"table", "any"});
}

Resshift::Resshift(ResshiftConfig config)
    : config_(std::move(config)),
      schedule_(resshift_schedule(config_.coefficients)),
      root_(from_clean(schedule_.roots)) {}

double Resshift::position(double t) const {
  RESEDA_REQUIRE(t >= 0 && t <= 1, Errc::kInternal, "resshift: time must be in [0, 1], got ", t);
  return t * length();
}

Marginal Resshift::at(double t) const {
  const double root = root_.at(position(t)), eta = root * root;
  return {1.0 - eta, eta, config_.coefficients.kappa * root};
}

Rates Resshift::rate(double t) const {
  const double place = position(t), slope = length() * root_.slope(place), growth = 2.0 * root_.at(place) * slope;
  return {-growth, growth, config_.coefficients.kappa * slope};
}

at::Tensor Resshift::prior(const at::Tensor& y, NoiseSource& noise, std::string_view item) const {
  return y + at(t_start()).c * draw_like(noise, {item, "prior", 0}, y);
}

double Resshift::nearest_time(double t) const {
  const double place = position(t), whole = std::round(std::clamp(place, 1.0, length()));
  // A time that misses the table by rounding is the table's: t_end may not be passed.
  return config_.times == "any" && std::abs(place - whole) > 1e-9 ? t : whole / length();
}

double Resshift::network_time(double t) const {
  const double place = position(t) - 1.0, whole = std::round(place);
  const auto index = [&](double step) {
    return static_cast<double>(schedule_.indices[static_cast<std::size_t>(step)]);
  };
  if (std::abs(place - whole) < 1e-9 && whole >= 0) return index(whole);
  const double below = std::clamp(std::floor(place), 0.0, length() - 2.0);
  return index(below) + (place - below) * (index(below + 1.0) - index(below));
}

double Resshift::network_scale(double t) const {
  if (!config_.normalize_input) return 1.0;
  const double c = at(t).c.scalar();
  return config_.latent_flag ? 1.0 / std::sqrt(c * c + 1.0) : 1.0 / (3.0 * c + 1.0);
}

const ProcessEntry& process_entry_resshift() {
  static const auto entry = make_component<Process, Resshift, ResshiftConfig>(
      "resshift", "drift to the measurement and noise by one schedule (ResShift, DifIISR)");
  return entry;
}

}  // namespace reseda::diffusion
