#pragma once

#include <ATen/core/Tensor.h>

#include <array>

namespace reseda::metrics {

/// Gradient of a slice by central differences, one-sided at the border.
struct Gradient {
  at::Tensor rows, columns;  ///< [H,W] float64, per unit of the spacing
};

/// @param spacing  between rows, between columns
/// @throws Error{kInput} unless the slice is a real [H,W] of at least 2 x 2 pixels
Gradient image_gradient(const at::Tensor& slice, const std::array<double, 2>& spacing);

/// How sharp an estimate is beside its reference: mean |grad estimate| / mean |grad reference|, pixels as unit. 1: as
/// sharp; below: blurred. Unlike edge_sharpness, noise and invented detail raise it.
/// @return infinity where only the estimate has a gradient, NaN where neither has
/// @throws Error{kInput} as image_gradient, or on unlike shapes
double gradient_ratio(const at::Tensor& reference, const at::Tensor& estimate);

/// How much of the reference's edges an estimate has.
///   S = sum over E of (grad estimate . grad reference) / sum over E of |grad reference|^2
/// E: the pixels of the mask whose reference gradient is among the largest 2 %. 1: as sharp; below: blurred; above:
/// sharpened. Noise that is independent of the reference adds nothing to S in the mean, unlike to a mean of gradients.
/// A Gaussian blur of standard deviation s turns an edge that is one of standard deviation w into S = w / sqrt(w^2 +
/// s^2) at its middle.
/// @param mask  [H,W] bool   @return NaN where no pixel of the mask has a gradient
/// @throws Error{kInput} as image_gradient, or on unlike shapes
double edge_sharpness(const at::Tensor& reference, const at::Tensor& estimate, const at::Tensor& mask,
                      const std::array<double, 2>& spacing);

/// Pearson correlation over the mask of what a restoration took away (input - restored) with the gradient's magnitude
/// of the clean reference: whether anatomy went with the noise.
struct ResidualCorrelation {
  double plain = 0.0;     ///< of the residual itself: a bias at edges
  double absolute = 0.0;  ///< of its absolute value: more taken away at edges than elsewhere, whatever the sign
};

/// @param mask  [H,W] bool   @return NaN where residual or gradient do not vary in the mask
/// @throws Error{kInput} as above
ResidualCorrelation residual_correlation(const at::Tensor& residual, const at::Tensor& reference,
                                         const at::Tensor& mask, const std::array<double, 2>& spacing);

}  // namespace reseda::metrics
