#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace reseda::inverse {

/// The singular value decomposition w = u s b_0^T of one row of weights, completed to a basis: s = |w|, u = 1 or -1 and
/// an orthonormal matrix B whose first column is b_0 = u w / s. Which columns follow does not change the operator, only
/// the coordinates in which DDRM adds its noise.
struct RowBasis {
  at::Tensor basis;  ///< [K,K] float64
  double sign = 1.0, singular = 0.0;
};

/// The basis by one Householder reflection, with sign 1. @param row  [K] float64, not zero
RowBasis row_basis(const at::Tensor& row);
/// The decomposition that has the given basis. @throws Error{kUsage} unless it is orthonormal and begins with
/// +-row/|row|
RowBasis row_basis(const at::Tensor& row, const at::Tensor& basis);

}  // namespace reseda::inverse
