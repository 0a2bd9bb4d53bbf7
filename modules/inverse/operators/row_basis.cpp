#include "modules/inverse/operators/row_basis.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"

namespace reseda::inverse {
namespace {

/// Bases computed in float32 are accepted.
constexpr double kTolerance = 1e-5;

double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }

}  // namespace

RowBasis row_basis(const at::Tensor& row) {
  const double length = row.norm().item<double>();
  const at::Tensor identity = at::eye(row.size(0), at::kDouble);
  const at::Tensor mirror = identity[0] - row / length;
  const double square = mirror.square().sum().item<double>();
  // A row along the first axis is its own basis.
  const at::Tensor basis = square < 1e-24 ? identity : identity - 2.0 / square * at::outer(mirror, mirror);
  return {basis, 1.0, length};
}

RowBasis row_basis(const at::Tensor& row, const at::Tensor& basis) {
  const std::int64_t count = row.size(0);
  RESEDA_REQUIRE(basis.dim() == 2 && basis.size(0) == count && basis.size(1) == count, Errc::kUsage,
                 "operator: the basis must be [", count, ",", count, "], got ", basis.sizes());
  const at::Tensor columns = basis.to(at::kCPU, at::kDouble);
  const double length = row.norm().item<double>();
  const double sign = at::dot(columns.select(1, 0), row).item<double>() < 0 ? -1.0 : 1.0;
  RESEDA_REQUIRE(largest(columns.t().matmul(columns) - at::eye(count, at::kDouble)) < kTolerance &&
                     largest(sign * columns.select(1, 0) - row / length) < kTolerance,
                 Errc::kUsage, "operator: the basis must be orthonormal with the row of weights as first column");
  return {columns, sign, length};
}

}  // namespace reseda::inverse
