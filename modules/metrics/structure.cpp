#include "modules/metrics/structure.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "modules/core/error.hpp"
#include "modules/metrics/correlation.hpp"

namespace reseda::metrics {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

at::Tensor derivative(const at::Tensor& slice, std::int64_t axis, double spacing) {
  const std::int64_t size = slice.size(axis);
  const auto part = [&](std::int64_t first, std::int64_t count) { return slice.narrow(axis, first, count); };
  const at::Tensor middle = size > 2 ? (part(2, size - 2) - part(0, size - 2)) / 2 : part(0, 0);
  return at::cat({part(1, 1) - part(0, 1), middle, part(size - 1, 1) - part(size - 2, 1)}, axis) / spacing;
}

void check_mask(const at::Tensor& reference, const at::Tensor& other, const at::Tensor& mask) {
  RESEDA_REQUIRE(
      reference.sizes() == other.sizes() && reference.sizes() == mask.sizes() && mask.scalar_type() == at::kBool,
      Errc::kInput, "structure: slices and mask must have one shape, got ", reference.sizes(), ", ", other.sizes(),
      " and ", mask.sizes());
}

}  // namespace

Gradient image_gradient(const at::Tensor& slice, const std::array<double, 2>& spacing) {
  RESEDA_REQUIRE(slice.dim() == 2 && slice.size(0) >= 2 && slice.size(1) >= 2 && !slice.is_complex(), Errc::kInput,
                 "image_gradient: expected a real slice of at least 2 x 2 pixels, got ", slice.sizes());
  const at::Tensor values = slice.detach().to(at::TensorOptions(at::kDouble).device(at::kCPU));
  return {derivative(values, 0, spacing[0]), derivative(values, 1, spacing[1])};
}

double gradient_ratio(const at::Tensor& reference, const at::Tensor& estimate) {
  RESEDA_REQUIRE(reference.sizes() == estimate.sizes(), Errc::kInput,
                 "gradient_ratio: both images must have one shape, got ", reference.sizes(), " and ", estimate.sizes());
  const auto mean = [](const at::Tensor& image) {
    const Gradient gradient = image_gradient(image, {1.0, 1.0});
    return at::hypot(gradient.rows, gradient.columns).mean().item<double>();
  };
  return mean(estimate) / mean(reference);
}

double edge_sharpness(const at::Tensor& reference, const at::Tensor& estimate, const at::Tensor& mask,
                      const std::array<double, 2>& spacing) {
  check_mask(reference, estimate, mask);
  const Gradient r = image_gradient(reference, spacing), e = image_gradient(estimate, spacing);
  const at::Tensor energy = (r.rows.square() + r.columns.square()).index({mask});
  const at::Tensor common = (r.rows * e.rows + r.columns * e.columns).index({mask});
  if (energy.numel() == 0) return kNan;
  const auto edges = std::max<std::int64_t>(1, std::llround(0.02 * static_cast<double>(energy.numel())));
  const auto [largest, where] = energy.topk(edges);
  const double sum = largest.sum().item<double>();
  return sum > 0 ? common.index({where}).sum().item<double>() / sum : kNan;
}

ResidualCorrelation residual_correlation(const at::Tensor& residual, const at::Tensor& reference,
                                         const at::Tensor& mask, const std::array<double, 2>& spacing) {
  check_mask(reference, residual, mask);
  const Gradient g = image_gradient(reference, spacing);
  const at::Tensor edge = at::hypot(g.rows, g.columns).index({mask});
  const at::Tensor taken = residual.detach().to(at::TensorOptions(at::kDouble).device(at::kCPU)).index({mask});
  return {pearson_correlation(taken, edge), pearson_correlation(taken.abs(), edge)};
}

}  // namespace reseda::metrics
