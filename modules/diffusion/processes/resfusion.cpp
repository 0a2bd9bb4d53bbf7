#include "modules/diffusion/processes/resfusion.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::diffusion {
namespace {

/// 0 for the clean end, then ln ahat of the steps in use.
std::vector<double> log_products(const ResfusionSchedule& schedule) {
  const at::Tensor logs = schedule.alphas_hat.slice(0, 0, schedule.used).to(at::kDouble).log().contiguous();
  std::vector<double> out = {0.0};
  out.insert(out.end(), logs.const_data_ptr<double>(), logs.const_data_ptr<double>() + logs.numel());
  return out;
}

}  // namespace

void ResfusionConfig::validate() const {
  coefficients.validate();
  require_choice("process.times", times, {"table", "any"});
}

Resfusion::Resfusion(ResfusionConfig config)
    : config_(std::move(config)),
      schedule_(resfusion_schedule(config_.coefficients)),
      log_product_(log_products(schedule_)) {
  RESEDA_REQUIRE(config_.last_index >= -1 && config_.last_index < schedule_.used - 1, Errc::kUsage,
                 "process.last_index must be in -1 to ", schedule_.used - 2, " for these steps, got ",
                 config_.last_index);
}

double Resfusion::position(double t) const {
  RESEDA_REQUIRE(t >= 0 && t <= 1, Errc::kInternal, "resfusion: time must be in [0, 1], got ", t);
  return t * length();
}

Marginal Resfusion::at(double t) const {
  const double log_product = log_product_.at(position(t)), q = std::exp(0.5 * log_product);
  return {2.0 * q - 1.0, 1.0 - q, std::sqrt(-std::expm1(log_product))};
}

Rates Resfusion::rate(double t) const {
  const double place = position(t), log_product = log_product_.at(place);
  const double slope = length() * log_product_.slope(place), q = std::exp(0.5 * log_product);
  const double c = std::sqrt(-std::expm1(log_product));
  const double log_step = log_product - log_product_.at(std::max(place - 1.0, 0.0));
  return {q * slope, -0.5 * q * slope, -0.5 * q * q * slope / c, Coef(c / (1.0 + std::exp(0.5 * log_step)))};
}

at::Tensor Resfusion::prior(const at::Tensor& y, NoiseSource& noise, std::string_view item) const {
  const Marginal m = at(t_start());
  return Coef(m.a.value + m.b.value) * y + m.c * draw_like(noise, {item, "prior", 0}, y);
}

double Resfusion::nearest_time(double t) const {
  if (config_.times == "any") return t;
  return std::round(std::clamp(position(t), 1.0, length())) / length();
}

double Resfusion::network_time(double t) const {
  const double index = position(t) - 1.0, whole = std::round(index);
  return std::abs(index - whole) < 1e-9 ? whole : index;
}

const ProcessEntry& process_entry_resfusion() {
  static const auto entry = make_component<Process, Resfusion, ResfusionConfig>(
      "resfusion", "variance preserving diffusion that drifts to the measurement and starts from it (Resfusion)");
  return entry;
}

}  // namespace reseda::diffusion
