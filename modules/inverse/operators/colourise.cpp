#include "modules/inverse/operators/colourise.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::inverse {
namespace {

constexpr const char* kName = "colourise";

at::Tensor checked_weights(const ImageShape& shape, const std::vector<double>& weights) {
  double square = 0;
  for (const double weight : weights) square += weight * weight;
  RESEDA_REQUIRE(static_cast<std::int64_t>(weights.size()) == shape.channels && std::isfinite(square) && square > 0,
                 Errc::kUsage, "operator.weights must be ", shape.channels,
                 " numbers, one per channel, not all 0, got ", at::ArrayRef<double>(weights));
  return at::tensor(weights, at::kDouble).reshape({-1, 1, 1});
}

}  // namespace

Colourise::Colourise(const ColouriseConfig& config, const at::Tensor& basis)
    : shape_(config.image), weights_(checked_weights(shape_, config.weights)) {
  basis_ = basis.defined() ? row_basis(weights_.flatten(), basis) : row_basis(weights_.flatten());
}

at::Tensor Colourise::apply(const at::Tensor& x) const {
  shape_.require(x, kName);
  return (x * constant_like(weights_, x)).sum(1, true);
}

at::Tensor Colourise::adjoint(const at::Tensor& y) const {
  require_measurement(y, {1, shape_.height, shape_.width}, kName);
  return y * constant_like(weights_, y);
}

at::Tensor Colourise::pseudo_inverse(const at::Tensor& y) const {
  require_measurement(y, {1, shape_.height, shape_.width}, kName);
  return y * constant_like(weights_ / weights_.square().sum(), y);
}

at::Tensor Colourise::vt(const at::Tensor& x) const {
  shape_.require(x, kName);
  return at::matmul(constant_like(basis_.basis.t(), x), x.flatten(2)).flatten(1);
}
at::Tensor Colourise::v(const at::Tensor& coefficients) const {
  const at::Tensor planes = coefficients.reshape({coefficients.size(0), shape_.channels, shape_.pixels()});
  return at::matmul(constant_like(basis_.basis, coefficients), planes).reshape(shape_.batch(coefficients.size(0)));
}
at::Tensor Colourise::u(const at::Tensor& coefficients) const {
  return (basis_.sign * coefficients).reshape({coefficients.size(0), 1, shape_.height, shape_.width});
}
at::Tensor Colourise::ut(const at::Tensor& y) const {
  require_measurement(y, {1, shape_.height, shape_.width}, kName);
  return basis_.sign * y.flatten(1);
}
at::Tensor Colourise::singulars() const { return at::full({shape_.pixels()}, basis_.singular, at::kDouble); }

const OperatorEntry& operator_entry_colourise() {
  static const auto entry = make_component<ForwardOperator, Colourise, ColouriseConfig>(
      "colourise", "the grey image: a weighted mean of the channels");
  return entry;
}

}  // namespace reseda::inverse
