#include "modules/diffusion/denoiser.hpp"

#include <ATen/ATen.h>

#include <array>
#include <vector>

#include "modules/diffusion/weighted_sum.hpp"

namespace reseda::diffusion {
namespace {

struct TargetName {
  Target target;
  const char* name;
};
constexpr std::array kTargetNames = {TargetName{Target::kX0, "x0"},
                                     TargetName{Target::kEps, "eps"},
                                     TargetName{Target::kScaledEps, "scaled_eps"},
                                     TargetName{Target::kScore, "score"},
                                     TargetName{Target::kV, "v"},
                                     TargetName{Target::kVelocity, "velocity"},
                                     TargetName{Target::kResidual, "residual"},
                                     TargetName{Target::kResNoise, "resnoise"},
                                     TargetName{Target::kResidualAndNoise, "residual_and_noise"},
                                     TargetName{Target::kEdmF, "edm_f"}};

constexpr double kEdmSigmaData = 0.5;

Coef operator+(const Coef& l, const Coef& r) { return Coef(l.value + r.value); }
Coef operator-(const Coef& l, const Coef& r) { return Coef(l.value - r.value); }
Coef operator*(const Coef& l, const Coef& r) { return Coef(l.value * r.value); }
Coef operator/(const Coef& l, const Coef& r) { return Coef(l.value / r.value); }

/// 1 / coefficient, which must not be 0. Only values on the CPU are looked at: a look at a device would wait for it.
Coef reciprocal(const Coef& divisor, Target target, const char* what) {
  const bool visible = divisor.value.device().is_cpu();
  RESEDA_REQUIRE(!visible || !at::any(divisor.value == 0).item<bool>(), Errc::kInternal, "target '",
                 target_name(target), "' cannot be solved at this time: ", what, " is 0");
  return Coef(divisor.value.reciprocal());
}

/// 1 / coefficient, and 0 where the coefficient is 0.
Coef reciprocal_or_zero(const Coef& divisor) {
  return Coef(at::where(divisor.value == 0, at::zeros_like(divisor.value), divisor.value.reciprocal()));
}

/// x - b y
at::Tensor shifted(const at::Tensor& x, const at::Tensor& y, const Marginal& m) {
  return weighted_sum({{1.0, x}, {Coef(-m.b.value), y}});
}

/// (x - b y - weight value) scale. The difference comes first: where a bridge is pinned, x is y and scale is large.
at::Tensor remainder(const at::Tensor& x, const at::Tensor& y, const Marginal& m, const Coef& weight,
                     const at::Tensor& value, const Coef& scale) {
  at::Tensor rest = weighted_sum({{1.0, x}, {Coef(-m.b.value), y}, {Coef(-weight.value), value}});
  return scale.is_scalar() ? rest.mul_(scale.scalar()) : scale * rest;
}

Estimates from_x0(const at::Tensor& x0, const at::Tensor& x, const at::Tensor& y, const Marginal& m) {
  return {x0, remainder(x, y, m, m.a, x0, reciprocal_or_zero(m.c))};
}

Estimates from_eps(Target target, const at::Tensor& eps, const at::Tensor& x, const at::Tensor& y, const Marginal& m) {
  return {remainder(x, y, m, m.c, eps, reciprocal(m.a, target, "a")), eps};
}

Estimates from_scaled_eps(const at::Tensor& noise, const at::Tensor& x, const at::Tensor& y, const Marginal& m) {
  return {remainder(x, y, m, 1.0, noise, reciprocal(m.a, Target::kScaledEps, "a")), reciprocal_or_zero(m.c) * noise};
}

Estimates from_v(const at::Tensor& v, const at::Tensor& x, const at::Tensor& y, const Marginal& m) {
  const Coef inverse = reciprocal(m.a * m.a + m.c * m.c, Target::kV, "a^2 + c^2");
  const at::Tensor signal = shifted(x, y, m);
  return {(inverse * m.a) * signal - (inverse * m.c) * v, (inverse * m.c) * signal + (inverse * m.a) * v};
}

Estimates from_velocity(const at::Tensor& velocity, const at::Tensor& x, const at::Tensor& y, const Marginal& m,
                        const Rates& r) {
  const Coef inverse = reciprocal(m.a * r.c - r.a * m.c, Target::kVelocity, "a c' - a' c");
  const at::Tensor signal = shifted(x, y, m);
  const at::Tensor u = y.defined() ? velocity - r.b * y : velocity;
  return {(inverse * r.c) * signal - (inverse * m.c) * u, (inverse * m.a) * u - (inverse * r.a) * signal};
}

/// w of eps + w (y - x0). With A = a + b, f = A'/A, h = b' - f b and g^2 = 2 c (c' - f c): w = h c / g^2, the ratio in
/// which the reverse drift mixes residual and noise, unless the process has steps of its own.
Coef resnoise_weight(const Marginal& m, const Rates& r) {
  if (r.resnoise.value.defined()) return r.resnoise;
  const Coef f = (r.a + r.b) * reciprocal(m.a + m.b, Target::kResNoise, "a + b");
  return (r.b - f * m.b) * reciprocal(2.0 * (r.c - f * m.c), Target::kResNoise, "g");
}

Estimates from_resnoise(const at::Tensor& prediction, const at::Tensor& x, const at::Tensor& y, const Marginal& m,
                        const Rates& r) {
  const Coef w = resnoise_weight(m, r);
  const Coef inverse = reciprocal(m.a + m.c * w, Target::kResNoise, "a + c w");
  const at::Tensor x0 = inverse * (x - (m.b - m.c * w) * y - m.c * prediction);
  return {x0, prediction - w * (y - x0)};
}

Estimates from_residual_and_noise(const at::Tensor& prediction, const at::Tensor& x, const Marginal& m) {
  RESEDA_REQUIRE(prediction.dim() >= 2 && prediction.size(1) == 2 * x.size(1), Errc::kInternal,
                 "target 'residual_and_noise' needs twice the channels of the state, got ", prediction.sizes());
  const std::vector<at::Tensor> parts = prediction.chunk(2, 1);
  const Coef inverse = reciprocal(m.a + m.b, Target::kResidualAndNoise, "a + b");
  return {inverse * (x - m.b * parts[0] - m.c * parts[1]), parts[1], parts[0]};
}

struct EdmScales {
  Coef skip, out;
};
EdmScales edm_scales(const Marginal& m) {
  const Coef sigma = m.c * reciprocal(m.a, Target::kEdmF, "a");
  const Coef square = sigma * sigma + Coef(kEdmSigmaData * kEdmSigmaData);
  return {Coef(kEdmSigmaData * kEdmSigmaData) / square, sigma * Coef(kEdmSigmaData) / Coef(square.value.sqrt())};
}

Estimates from_edm_f(const at::Tensor& prediction, const at::Tensor& x, const at::Tensor& y, const Marginal& m) {
  const EdmScales scales = edm_scales(m);
  const at::Tensor x0 = (scales.skip / m.a) * shifted(x, y, m) + scales.out * prediction;
  return from_x0(x0, x, y, m);
}

at::Tensor edm_f_value(const at::Tensor& x0, const at::Tensor& eps, const Marginal& m) {
  const EdmScales scales = edm_scales(m);
  const Coef inverse = reciprocal(scales.out, Target::kEdmF, "c");
  return inverse * (x0 - scales.skip * (x0 + (m.c / m.a) * eps));
}

void require_y(Target target, const at::Tensor& y) {
  RESEDA_REQUIRE(y.defined(), Errc::kInternal, "target '", target_name(target), "' needs a measurement y");
}

}  // namespace

Target parse_target(const std::string& name) {
  std::vector<std::string> names;
  for (const TargetName& row : kTargetNames) {
    if (name == row.name) return row.target;
    names.emplace_back(row.name);
  }
  std::string all;
  for (const std::string& known : names) all += (all.empty() ? "" : ", ") + known;
  const std::string near = nearest_name(name, names);
  detail::raise(Errc::kUsage, "unknown target '", name, "'", near.empty() ? "" : "; did you mean '" + near + "'?",
                " (known: ", all, ")");
}

const char* target_name(Target target) {
  for (const TargetName& row : kTargetNames)
    if (row.target == target) return row.name;
  RESEDA_INVARIANT(false);
  return "";
}

Estimates estimates_from(Target target, const at::Tensor& prediction, const at::Tensor& x, const at::Tensor& y,
                         const Marginal& m, const Rates& rates) {
  switch (target) {
    case Target::kX0:
      return from_x0(prediction, x, y, m);
    case Target::kEps:
      return from_eps(target, prediction, x, y, m);
    case Target::kScaledEps:
      return from_scaled_eps(prediction, x, y, m);
    case Target::kScore:
      return from_eps(target, Coef(-m.c.value) * prediction, x, y, m);
    case Target::kV:
      return from_v(prediction, x, y, m);
    case Target::kVelocity:
      return from_velocity(prediction, x, y, m, rates);
    case Target::kResidual:
      require_y(target, y);
      return from_x0(y - prediction, x, y, m);
    case Target::kResNoise:
      require_y(target, y);
      return from_resnoise(prediction, x, y, m, rates);
    case Target::kResidualAndNoise:
      return from_residual_and_noise(prediction, x, m);
    case Target::kEdmF:
      return from_edm_f(prediction, x, y, m);
  }
  RESEDA_INVARIANT(false);
  return {};
}

at::Tensor target_value(Target target, const at::Tensor& x0, const at::Tensor& eps, const at::Tensor& y,
                        const Marginal& m, const Rates& rates) {
  switch (target) {
    case Target::kX0:
      return x0;
    case Target::kEps:
      return eps;
    case Target::kScaledEps:
      return m.c * eps;
    case Target::kScore:
      return -(reciprocal(m.c, target, "c") * eps);
    case Target::kV:
      return m.a * eps - m.c * x0;
    case Target::kVelocity:
      return y.defined() ? rates.a * x0 + rates.b * y + rates.c * eps : rates.a * x0 + rates.c * eps;
    case Target::kResidual:
      require_y(target, y);
      return y - x0;
    case Target::kResNoise:
      require_y(target, y);
      return eps + resnoise_weight(m, rates) * (y - x0);
    case Target::kResidualAndNoise:
      require_y(target, y);
      return at::cat({y - x0, eps}, 1);
    case Target::kEdmF:
      return edm_f_value(x0, eps, m);
  }
  RESEDA_INVARIANT(false);
  return {};
}

Estimates NetworkDenoiser::operator()(const at::Tensor& x, double t, const Condition& condition) const {
  const at::Tensor time = network_input_times(process_, at::full({x.size(0)}, t, at::kDouble)).to(x.device());
  const at::Tensor seen = condition.extra.defined() ? at::cat({condition.y, condition.extra}, 1) : condition.y;
  const bool needs_rates = target_ == Target::kVelocity || target_ == Target::kResNoise;
  const double scale = process_.network_scale(t);
  at::Tensor prediction = call_(scale == 1.0 ? x : x * scale, seen, time), range;
  if (target_ != Target::kResidualAndNoise && prediction.dim() >= 2 && prediction.size(1) == 2 * x.size(1)) {
    const auto parts = prediction.chunk(2, 1);
    prediction = parts[0];
    range = parts[1];
  }
  Estimates found =
      estimates_from(target_, prediction, x, condition.y, process_.at(t), needs_rates ? process_.rate(t) : Rates{});
  if (range.defined()) found.variance_share = (range + 1) / 2;
  return found;
}

}  // namespace reseda::diffusion
