#include "modules/train/radam.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "modules/core/error.hpp"
#include "modules/train/adam_moments.hpp"

namespace reseda::train {
namespace {

constexpr double kLeastLength = 5.0;  // below it the variance of the adaptive rate cannot be told
constexpr double kNormGuard = 1e-6;

}  // namespace

RAdam::RAdam(AdamConfig config, const at::Tensor& values)
    : first_moment(at::zeros_like(values)), second_moment(at::zeros_like(values)), config_(config) {
  config_.validate();
}

void RAdam::step(at::Tensor& values, const at::Tensor& gradient, double lr) {
  at::NoGradGuard no_grad;
  ++updates;
  const auto [correction1, correction2] =
      update_moments(config_, values, gradient, lr, first_moment, second_moment, updates);
  const auto n = static_cast<double>(updates);
  const double longest = 2.0 / (1.0 - config_.beta2) - 1.0;
  const double length = longest - 2.0 * n * std::pow(config_.beta2, n) / correction2;
  if (length <= kLeastLength) {
    values.add_(first_moment, -lr / correction1);
    return;
  }
  const double rectified = std::sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length));
  const at::Tensor denominator = second_moment.sqrt().add_(config_.eps);
  values.addcdiv_(first_moment, denominator, -lr * rectified * std::sqrt(correction2) / correction1);
}

NesterovDescent::NesterovDescent(double momentum, const at::Tensor& values)
    : velocity(at::zeros_like(values)), momentum_(momentum) {
  RESEDA_REQUIRE(momentum > 0 && momentum < 1, Errc::kUsage, "momentum must be in (0, 1), got ", momentum);
}

void NesterovDescent::step(at::Tensor& values, const at::Tensor& gradient, double lr) {
  at::NoGradGuard no_grad;
  velocity.mul_(momentum_).add_(gradient);
  values.add_(gradient, -lr).add_(velocity, -lr * momentum_);
}

double clip_norm(at::Tensor& gradient, double limit) {
  at::NoGradGuard no_grad;
  RESEDA_REQUIRE(limit > 0, Errc::kUsage, "the limit of a gradient's norm must be > 0, got ", limit);
  const double norm = gradient.norm().item<double>();
  const double factor = limit / (norm + kNormGuard);
  if (factor < 1.0) gradient.mul_(factor);
  return norm;
}

double cosine_annealing(double first, double last, std::int64_t epoch, std::int64_t epochs) {
  RESEDA_INVARIANT(epochs >= 1);
  const double share = static_cast<double>(epoch) / static_cast<double>(epochs);
  return last + (first - last) * 0.5 * (1.0 + std::cos(std::numbers::pi * share));
}

}  // namespace reseda::train
