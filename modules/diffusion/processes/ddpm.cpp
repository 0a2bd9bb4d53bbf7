#include "modules/diffusion/processes/ddpm.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::diffusion {
namespace {

constexpr double kWhole = 1e-9;

/// 1 for the clean end, then the values of the steps.
std::vector<double> from_clean(const at::Tensor& products) {
  std::vector<double> out = {1.0};
  const at::Tensor rows = products.contiguous();
  out.insert(out.end(), rows.const_data_ptr<double>(), rows.const_data_ptr<double>() + rows.numel());
  return out;
}

}  // namespace

void DdpmConfig::validate() const {
  coefficients.validate();
  require_choice("process.times", times, {"table", "any"});
}

Ddpm::Ddpm(DdpmConfig config)
    : config_(std::move(config)),
      schedule_(ddpm_schedule(config_.coefficients)),
      product_(from_clean(schedule_.alphas_cumprod)) {
  config_.validate();
  RESEDA_REQUIRE(config_.last_index >= -1 && config_.last_index < steps() - 1, Errc::kUsage,
                 "process.last_index must be in -1 to ", steps() - 2, " for these steps, got ", config_.last_index);
}

double Ddpm::position(double t) const {
  RESEDA_REQUIRE(t >= 0 && t <= 1, Errc::kInternal, "ddpm: time must be in [0, 1], got ", t);
  return t * static_cast<double>(steps());
}

Marginal Ddpm::at(double t) const {
  const double product = product_.at(position(t));
  return {std::sqrt(product), 0.0, std::sqrt(1 - product)};
}

Rates Ddpm::rate(double t) const {
  const double place = position(t), product = product_.at(place);
  const double slope = static_cast<double>(steps()) * product_.slope(place);
  return {slope / (2 * std::sqrt(product)), 0.0, -slope / (2 * std::sqrt(1 - product))};
}

at::Tensor Ddpm::prior(const at::Tensor& y, NoiseSource& noise, std::string_view item) const {
  return draw_like(noise, {item, "prior", 0}, y);
}

double Ddpm::nearest_time(double t) const {
  if (config_.times == "any") return t;
  const auto all = static_cast<double>(steps());
  return std::round(std::clamp(position(t), 1.0, all)) / all;
}

double Ddpm::network_time(double t) const {
  // The clean end would be step -1.
  const double index = position(t) - 1.0, whole = std::round(index);
  const auto step = [this](std::int64_t i) {
    return i < 0 ? -1.0 : static_cast<double>(schedule_.kept[static_cast<std::size_t>(i)]);
  };
  const auto below = static_cast<std::int64_t>(std::floor(index));
  const double told = std::abs(index - whole) < kWhole
                          ? step(static_cast<std::int64_t>(whole))
                          : step(below) + (index - std::floor(index)) * (step(below + 1) - step(below));
  return config_.rescale_timesteps ? told * (1000.0 / static_cast<double>(config_.coefficients.steps)) : told;
}

const ProcessEntry& process_entry_ddpm() {
  static const auto entry = make_component<Process, Ddpm, DdpmConfig>(
      "ddpm", "variance preserving diffusion of an image alone, from noise (DDPM, guided diffusion)");
  return entry;
}

}  // namespace reseda::diffusion
