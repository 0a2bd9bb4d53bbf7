#pragma once

#include <ATen/core/Tensor.h>

#include "modules/inverse/forward_operator.hpp"
#include "modules/inverse/operators/boundary.hpp"
#include "modules/inverse/operators/circular_filter.hpp"
#include "modules/inverse/operators/image_shape.hpp"

namespace reseda::inverse {

/// Convolution with any kernel and any boundary, per channel: H = R K P, where P continues the image beyond its edges
/// by the kernel's radius, K convolves by FFT and R takes the image's part. H^* = P^T K^T R^T.
/// No pseudo-inverse: pseudo_inverse() gives y itself, the blurred image, as a first guess. Deterministic.
class PaddedBlur final : public ForwardOperator {
 public:
  /// @param kernel  [K,L] float64, K and L odd
  PaddedBlur(const ImageShape& shape, const at::Tensor& kernel, Boundary boundary);
  at::Tensor apply(const at::Tensor& x) const override;
  at::Tensor adjoint(const at::Tensor& y) const override;
  at::Tensor pseudo_inverse(const at::Tensor& y) const override;
  bool has_pseudo_inverse() const override { return false; }

 private:
  ImageShape shape_;
  std::int64_t up_, left_;  ///< the kernel's radii
  /// [padded side]: the pixel that stands at each place of the padded image; H or W stands for a zero.
  at::Tensor rows_, columns_;
  CircularFilter filter_;
  at::Tensor transfer_;
};

}  // namespace reseda::inverse
