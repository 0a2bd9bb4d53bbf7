#include "modules/inverse/operators/super_resolution.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"

namespace reseda::inverse {
namespace {

constexpr const char* kName = "super_resolution";

RowBasis block_basis(std::int64_t factor, const at::Tensor& basis) {
  const std::int64_t count = factor * factor;
  const at::Tensor row = at::full({count}, 1.0 / static_cast<double>(count), at::kDouble);
  return basis.defined() ? row_basis(row, basis) : row_basis(row);
}

std::int64_t checked_factor(const ImageShape& shape, std::int64_t factor) {
  RESEDA_REQUIRE(factor >= 1 && shape.height % factor == 0 && shape.width % factor == 0, Errc::kUsage,
                 "operator.factor must divide the image's height ", shape.height, " and width ", shape.width, ", got ",
                 factor);
  return factor;
}

}  // namespace

SuperResolution::SuperResolution(const SuperResolutionConfig& config, const at::Tensor& basis)
    : shape_(config.image),
      factor_(checked_factor(shape_, config.factor)),
      blocks_(shape_.size() / (factor_ * factor_)),
      basis_(block_basis(factor_, basis)) {}

at::Tensor SuperResolution::apply(const at::Tensor& x) const {
  shape_.require(x, kName);
  return at::avg_pool2d(x, factor_);
}

at::Tensor SuperResolution::pseudo_inverse(const at::Tensor& y) const {
  require_measurement(y, measurement(), kName);
  return y.repeat_interleave(factor_, 2).repeat_interleave(factor_, 3);
}

at::Tensor SuperResolution::adjoint(const at::Tensor& y) const {
  return pseudo_inverse(y) / static_cast<double>(factor_ * factor_);
}

at::Tensor SuperResolution::vt(const at::Tensor& x) const {
  shape_.require(x, kName);
  const std::int64_t r = factor_, items = x.size(0);
  const at::Tensor pixels = x.reshape({items, shape_.channels, shape_.height / r, r, shape_.width / r, r})
                                .permute({0, 1, 2, 4, 3, 5})
                                .reshape({items, blocks_, r * r});
  const at::Tensor coefficients = at::matmul(pixels, constant_like(basis_.basis, x));
  return at::cat({coefficients.select(2, 0), coefficients.slice(2, 1).reshape({items, -1})}, 1);
}

at::Tensor SuperResolution::v(const at::Tensor& coefficients) const {
  const std::int64_t r = factor_, items = coefficients.size(0);
  const at::Tensor grouped = at::cat({coefficients.slice(1, 0, blocks_).unsqueeze(2),
                                      coefficients.slice(1, blocks_).reshape({items, blocks_, r * r - 1})},
                                     2);
  return at::matmul(grouped, constant_like(basis_.basis.t(), coefficients))
      .reshape({items, shape_.channels, shape_.height / r, shape_.width / r, r, r})
      .permute({0, 1, 2, 4, 3, 5})
      .reshape(shape_.batch(items));
}

at::Tensor SuperResolution::u(const at::Tensor& coefficients) const {
  return (basis_.sign * coefficients)
      .reshape({coefficients.size(0), shape_.channels, shape_.height / factor_, shape_.width / factor_});
}
at::Tensor SuperResolution::ut(const at::Tensor& y) const {
  require_measurement(y, measurement(), kName);
  return basis_.sign * y.reshape({y.size(0), blocks_});
}
at::Tensor SuperResolution::singulars() const { return at::full({blocks_}, basis_.singular, at::kDouble); }

const OperatorEntry& operator_entry_super_resolution() {
  static const auto entry = make_component<ForwardOperator, SuperResolution, SuperResolutionConfig>(
      "super_resolution", "block average: each pixel is the mean of factor x factor pixels");
  return entry;
}

}  // namespace reseda::inverse
