#include "modules/diffusion/processes/upsr.hpp"

#include <ATen/ATen.h>

#include <cmath>

namespace reseda::diffusion {
namespace {

// Quirk: both are constants of the official code.
constexpr double kMeanSquareWeight = 0.3, kImageVariance = 0.25;

}  // namespace

void UpsrConfig::validate() const {
  coefficients.validate();
  uncertainty.validate();
}

Upsr::Upsr(const UpsrConfig& config) : config_(config), base_({.coefficients = config.coefficients}) {}

Upsr Upsr::with_weight(const at::Tensor& weight) const {
  Upsr own = *this;
  own.weight_ = weight.to(at::kDouble);
  return own;
}

Coef Upsr::weighted(const Coef& c) const { return weight_.defined() ? Coef(weight_ * c.scalar()) : c; }

Marginal Upsr::at(double t) const {
  const Marginal m = base_.at(t);
  return {m.a, m.b, weighted(m.c)};
}

Rates Upsr::rate(double t) const {
  const Rates r = base_.rate(t);
  return {r.a, r.b, weighted(r.c)};
}

at::Tensor Upsr::prior(const at::Tensor& y, NoiseSource& noise, std::string_view item) const {
  return y + at(t_start()).c * draw_like(noise, {item, "prior", 0}, y);
}

double Upsr::network_scale(double t) const {
  const double c = base_.at(t).c.scalar();
  return 1.0 / std::sqrt(kMeanSquareWeight * c * c + kImageVariance);
}

const ProcessEntry& process_entry_upsr() {
  static const auto entry = make_component<Process, Upsr, UpsrConfig>(
      "upsr", "residual shifting with noise guided by the uncertainty of each pixel (UPSR)");
  return entry;
}

}  // namespace reseda::diffusion
