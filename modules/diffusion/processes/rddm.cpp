#include "modules/diffusion/processes/rddm.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::diffusion {
namespace {

/// A clean 0, then the values.
std::vector<double> from_clean(const at::Tensor& values) {
  const at::Tensor wide = values.to(at::kDouble).contiguous();
  std::vector<double> out = {0.0};
  out.insert(out.end(), wide.const_data_ptr<double>(), wide.const_data_ptr<double>() + wide.numel());
  return out;
}

const RddmSchedule& checked(const RddmSchedule& schedule, const RddmConfig& config) {
  config.validate();
  for (const auto& [name, values] :
       {std::pair("alphas_cumsum", &schedule.alphas_cumsum), std::pair("betas_cumsum", &schedule.betas_cumsum)}) {
    RESEDA_REQUIRE(values->dim() == 1 && values->size(0) == config.coefficients.steps, Errc::kCheckpoint, name,
                   " must hold process.steps = ", config.coefficients.steps, " values, got shape ", values->sizes());
    const bool fine =
        at::all(values->ge(0).logical_and(values->le(1))).item<bool>() && at::all(values->diff() >= 0).item<bool>();
    RESEDA_REQUIRE(fine, Errc::kCheckpoint, name, " must not fall and stay within 0 and 1");
  }
  return schedule;
}

}  // namespace

void RddmConfig::validate() const {
  coefficients.validate();
  require_choice("process.time", time, {"index", "residual", "noise", "both"});
  require_choice("process.start", start, {"measurement", "noise"});
  require_choice("process.times", times, {"table", "any"});
  const std::int64_t first = first_index == -1 ? coefficients.steps - 1 : first_index;
  RESEDA_REQUIRE(first >= 0 && first < coefficients.steps, Errc::kUsage,
                 "process.first_index must be in -1 to steps - "
                 "1 = ",
                 coefficients.steps - 1, ", got ", first_index);
  RESEDA_REQUIRE(last_index >= -1 && last_index < first, Errc::kUsage, "process.last_index must be in -1 to ",
                 first - 1, ", below the first index, got ", last_index);
}

Rddm::Rddm(RddmConfig config) : Rddm(config, rddm_schedule(config.coefficients)) {}

Rddm::Rddm(RddmConfig config, RddmSchedule schedule)
    : config_(std::move(config)),
      schedule_(checked(schedule, config_)),
      first_(config_.first_index == -1 ? config_.coefficients.steps - 1 : config_.first_index),
      residual_(from_clean(schedule_.alphas_cumsum)),
      variance_(from_clean(schedule_.betas_cumsum.to(at::kDouble).square())) {}

double Rddm::position(double t) const {
  RESEDA_REQUIRE(t >= 0 && t <= 1, Errc::kInternal, "rddm: time must be in [0, 1], got ", t);
  return t * static_cast<double>(config_.coefficients.steps);
}

Marginal Rddm::at(double t) const {
  const double place = position(t), abar = residual_.at(place);
  return {1.0 - abar, abar, std::sqrt(variance_.at(place))};
}

Rates Rddm::rate(double t) const {
  const double place = position(t), scale = static_cast<double>(config_.coefficients.steps);
  const double growth = scale * residual_.slope(place), spread = scale * variance_.slope(place);
  const double c = std::sqrt(variance_.at(place));
  const double infinite = spread == 0 ? 0.0 : std::numeric_limits<double>::infinity();
  return {-growth, growth, c == 0 ? infinite : spread / (2.0 * c)};
}

at::Tensor Rddm::prior(const at::Tensor& y, NoiseSource& noise, std::string_view item) const {
  const at::Tensor z = draw_like(noise, {item, "prior", 0}, y);
  const bool whole = first_ == config_.coefficients.steps - 1;
  if (config_.start == "noise") return whole ? z : at(t_start()).c * z;
  return y + (whole ? Coef(std::sqrt(config_.coefficients.sum_scale)) : at(t_start()).c) * z;
}

double Rddm::nearest_time(double t) const {
  if (config_.times == "any") return t;
  const double place = std::round(std::clamp(position(t), 1.0, static_cast<double>(first_ + 1)));
  return place / static_cast<double>(config_.coefficients.steps);
}

std::vector<double> Rddm::network_times(double t) const {
  const double place = position(t), scale = static_cast<double>(config_.coefficients.steps);
  if (config_.time == "index") {
    const double index = place - 1.0, whole = std::round(index);
    return {std::abs(index - whole) < 1e-9 ? whole : index};
  }
  const double residual = residual_.at(place) * scale, noise = std::sqrt(variance_.at(place)) * scale;
  if (config_.time == "residual") return {residual};
  if (config_.time == "noise") return {noise};
  return {residual, noise};
}

const ProcessEntry& process_entry_rddm() {
  static const auto entry = make_component<Process, Rddm, RddmConfig>(
      "rddm", "residual denoising diffusion: a growing share of the residual y - x0, and growing noise (RDDM)");
  return entry;
}

}  // namespace reseda::diffusion
