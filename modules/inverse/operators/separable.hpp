#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/operators/image_shape.hpp"

namespace reseda::inverse {

/// A = U diag(s) V^T of a matrix [m,n] with m <= n, all columns of V: u [m,m], s [m], v [n,n]; float64.
struct MatrixSvd {
  at::Tensor u, s, v;
};

/// The decomposition in which singular values below `cut`, and below 1e-6 of the largest, are 0.
/// @throws Error{kUsage} where none is left
MatrixSvd matrix_svd(const at::Tensor& matrix, double cut);

/// H x = A x B^T per channel, A = U_a S_a V_a^T over the rows and B = U_b S_b V_b^T over the columns of the image.
/// H^* y = A^T y B and H^+ y = V_a (S^+ .* (U_a^T y U_b)) V_b^T, 1/s where s > 0 and 0 elsewhere. Deterministic.
/// Spectral form: coefficient (k, c) stands for the entry order[k] of V_a^T x_c V_b, row by row; entries that are
/// measured come first, and channels alternate: [n, C].
class Separable : public ForwardOperator, private SpectralForm {
 public:
  /// How to order the coefficients, and two oddities of official code.
  struct Form {
    at::Tensor order;             ///< [H W] int64, a permutation; undefined: measured entries row by row, then the rest
    bool shifted_values = false;  ///< coefficient (k, c) is multiplied by the singular value (C k + c) mod (h w)
    bool keeps_null = false;      ///< H^+ leaves coefficients of singular value 0 as they are instead of clearing them
  };
  /// @param name  of the operator, for messages
  Separable(const char* name, const ImageShape& shape, MatrixSvd rows, MatrixSvd columns, const Form& form);
  at::Tensor apply(const at::Tensor& x) const override;
  at::Tensor adjoint(const at::Tensor& y) const override;
  at::Tensor pseudo_inverse(const at::Tensor& y) const override;
  const SpectralForm* spectral() const override { return this; }

 private:
  at::Tensor v(const at::Tensor& coefficients) const override;
  at::Tensor vt(const at::Tensor& x) const override;
  at::Tensor u(const at::Tensor& coefficients) const override;
  at::Tensor ut(const at::Tensor& y) const override;
  at::Tensor singulars() const override { return singulars_; }

  const char* name_;
  ImageShape shape_;
  MatrixSvd rows_, columns_;
  bool shifted_values_, keeps_null_;
  at::Tensor a_, b_;                   ///< the matrices themselves
  at::Tensor order_, places_;          ///< [H W] and its inverse
  at::Tensor out_order_, out_places_;  ///< [h w]: the measured part of the order, in the measurement's grid
  at::Tensor singulars_;               ///< [h w C]
};

}  // namespace reseda::inverse
