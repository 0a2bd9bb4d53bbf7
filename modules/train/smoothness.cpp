#include "modules/train/smoothness.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::train {
namespace {

constexpr const char* kState = "smoothness";

}  // namespace

void SmoothnessConfig::validate() const {
  RESEDA_REQUIRE(std::isfinite(weight) && weight >= 0, Errc::kUsage, "smoothness.weight must be >= 0, got ", weight);
  RESEDA_REQUIRE(rate > 0 && rate <= 1, Errc::kUsage, "smoothness.rate must be in (0, 1], got ", rate);
}

Smoothness::Smoothness(SmoothnessConfig config) : config_(config) { config_.validate(); }

at::Tensor Smoothness::slopes(const at::Tensor& x0, const at::Tensor& variable, const at::Tensor& probe,
                              const at::Tensor& c) {
  RESEDA_INVARIANT(x0.requires_grad() && variable.requires_grad() && x0.sizes() == probe.sizes());
  const double elements = static_cast<double>(x0.numel()) / static_cast<double>(x0.size(0));
  const at::Tensor xi = probe.to(x0.scalar_type()) * c.to(x0.scalar_type()) / std::sqrt(elements);
  const auto gradient = torch::autograd::grad({(x0 * xi).sum()}, {variable}, {}, true, true, true);
  RESEDA_REQUIRE(gradient.front().defined(), Errc::kInternal,
                 "smoothness: the estimate does not depend on the variable it is to be smooth in");
  // The root has no slope at 0.
  return (gradient.front().flatten(1).square().sum(1) + 1e-24).sqrt();
}

at::Tensor Smoothness::penalty(const at::Tensor& x0, const at::Tensor& variable, const at::Tensor& probe,
                               const at::Tensor& c) {
  const at::Tensor r = slopes(x0, variable, probe, c);
  const at::Tensor reference = reference_ + config_.rate * (r.mean() - reference_);
  reference_ = reference.item<double>();
  return config_.weight * (r - reference).square().mean();
}

void Smoothness::save(StateDict& state) const { state.add(kState, at::tensor({reference_}, at::kDouble)); }

void Smoothness::restore(const StateDict& state) {
  const at::Tensor saved = state.at(kState);
  RESEDA_REQUIRE(saved.numel() == 1 && std::isfinite(saved.item<double>()), Errc::kCheckpoint, "the training state's '",
                 kState, "' must be one finite number");
  reference_ = saved.item<double>();
}

}  // namespace reseda::train
