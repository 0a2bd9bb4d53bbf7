#pragma once

#include <ATen/core/Tensor.h>

#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/operators/circular_filter.hpp"
#include "modules/inverse/operators/image_shape.hpp"

namespace reseda::inverse {

/// Convolution of images that wrap around, per channel: H x = F^-1 (T .* F x), H^* with conj T, H^+ with 1/T where
/// T != 0 and 0 elsewhere. Deterministic.
/// Spectral form: singular values |T|. Coefficients [C, H W]: in the orthonormal DFT X of a channel, X at the
/// frequencies that are their own mirror image, then sqrt(2) Re X and sqrt(2) Im X at one of each pair.
class CircularBlur final : public ForwardOperator, private SpectralForm {
 public:
  /// @param kernel        [K,L] float64, K and L odd
  /// @param singular_cut  values of |T| below this, and below 1e-6 of the largest, are taken as 0
  /// @throws Error{kUsage} where nothing is left
  CircularBlur(const ImageShape& shape, const at::Tensor& kernel, double singular_cut);
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
  at::Tensor filter(const at::Tensor& x, const at::Tensor& transfer) const;

  ImageShape shape_;
  CircularFilter filter_;
  at::Tensor forward_, inverse_, phase_;  ///< [H,W/2+1] complex128: T, its pseudo-inverse, T / |T|
  at::Tensor alone_, first_, second_;     ///< frequencies i W + j: own mirror images, and the two of each pair
  at::Tensor singulars_;                  ///< [C H W]
};

}  // namespace reseda::inverse
