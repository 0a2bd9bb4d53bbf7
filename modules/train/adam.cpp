#include "modules/train/adam.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "modules/core/error.hpp"
#include "modules/train/adam_moments.hpp"

namespace reseda::train {

FlatParameters::FlatParameters(const std::vector<StateDict::Entry>& parameters) {
  std::int64_t total = 0;
  at::TensorOptions options;
  for (const auto& [name, tensor] : parameters) {
    if (!tensor.requires_grad()) continue;
    RESEDA_INVARIANT(tensor.scalar_type() == at::kFloat && tensor.is_leaf());
    slices_.push_back({name, total, tensor.numel(), tensor.sizes().vec()});
    total += tensor.numel();
    options = tensor.options();
  }
  at::NoGradGuard no_grad;
  values_ = at::empty({total}, options.requires_grad(false));
  gradient_ = at::zeros_like(values_);
  std::size_t i = 0;
  for (const auto& [name, tensor] : parameters) {
    if (!tensor.requires_grad()) continue;
    const Slice& slice = slices_[i++];
    at::Tensor view = values_.narrow(0, slice.first, slice.count).view(slice.shape);
    view.copy_(tensor);
    at::Tensor parameter = tensor;
    parameter.set_data(view);
    parameter.mutable_grad() = gradient_.narrow(0, slice.first, slice.count).view(slice.shape);
  }
}

std::vector<StateDict::Entry> FlatParameters::slices(const at::Tensor& vector) const {
  RESEDA_INVARIANT(vector.sizes() == values_.sizes());
  std::vector<StateDict::Entry> out;
  for (const Slice& slice : slices_)
    out.emplace_back(slice.name, vector.narrow(0, slice.first, slice.count).view(slice.shape));
  return out;
}

void AdamConfig::validate() const {
  RESEDA_REQUIRE(lr > 0 && lr < 1, Errc::kUsage, "adam.lr must be in (0, 1), got ", lr);
  RESEDA_REQUIRE(beta1 >= 0 && beta1 < 1, Errc::kUsage, "adam.beta1 must be in [0, 1), got ", beta1);
  RESEDA_REQUIRE(beta2 >= 0 && beta2 < 1, Errc::kUsage, "adam.beta2 must be in [0, 1), got ", beta2);
  RESEDA_REQUIRE(eps > 0, Errc::kUsage, "adam.eps must be positive, got ", eps);
  RESEDA_REQUIRE(weight_decay >= 0 && weight_decay < 1, Errc::kUsage, "adam.weight_decay must be in [0, 1), got ",
                 weight_decay);
}

MomentCorrections update_moments(const AdamConfig& config, at::Tensor& values, const at::Tensor& gradient, double lr,
                                 at::Tensor& first, at::Tensor& second, std::int64_t update) {
  if (config.weight_decay > 0) values.mul_(1.0 - lr * config.weight_decay);
  first.lerp_(gradient, 1.0 - config.beta1);
  second.mul_(config.beta2).addcmul_(gradient, gradient, 1.0 - config.beta2);
  const auto n = static_cast<double>(update);
  return {1.0 - std::pow(config.beta1, n), 1.0 - std::pow(config.beta2, n)};
}

Adam::Adam(AdamConfig config, const at::Tensor& values)
    : first_moment(at::zeros_like(values)), second_moment(at::zeros_like(values)), config_(config) {
  config_.validate();
  if (config_.amsgrad) largest_moment = at::zeros_like(values);
}

void Adam::step(at::Tensor& values, const at::Tensor& gradient, double lr) {
  at::NoGradGuard no_grad;
  ++updates;
  const auto [correction1, correction2] =
      update_moments(config_, values, gradient, lr, first_moment, second_moment, updates);
  if (config_.amsgrad) at::maximum_out(largest_moment, largest_moment, second_moment);
  const at::Tensor& spread = config_.amsgrad ? largest_moment : second_moment;
  const at::Tensor denominator = spread.sqrt().div_(std::sqrt(correction2)).add_(config_.eps);
  values.addcdiv_(first_moment, denominator, -lr / correction1);
}

MovingAverage::MovingAverage(double decay, const at::Tensor& values) : shadow(values.clone()), decay_(decay) {
  RESEDA_REQUIRE(decay >= 0 && decay < 1, Errc::kUsage, "ema_decay must be in [0, 1), got ", decay);
}

void MovingAverage::update(const at::Tensor& values) {
  at::NoGradGuard no_grad;
  ++updates;
  const auto n = static_cast<double>(updates);
  shadow.lerp_(values, 1.0 - std::min(decay_, (1.0 + n) / (10.0 + n)));
}

}  // namespace reseda::train
