#pragma once

#include <ATen/core/Tensor.h>

namespace reseda::metrics {

/// Peak signal-to-noise ratio of an estimate.
///   PSNR = 10 log10(R^2 / max(MSE, 1e-12)) dB,  MSE = mean((reference - estimate)^2) over all elements
/// Of a stack of images this is the ratio of the pooled error, not the mean of the images' ratios.
/// @param reference, estimate  any shape, real; computed in float64
/// @param data_range  R, in units of the images: 255 for 8 bits, 1 for [0, 1], the span of the reference for raw counts
/// @return dB; finite for finite input (equal images with R = 255: 168.1 dB), NaN if a value is NaN
/// @throws Error{kInput} on unlike, empty or complex images, or unless R is positive and finite
/// Source: Huynh-Thu and Ghanbari 2008, "Scope of validity of PSNR in image/video quality assessment"; the floor is
/// ours.
double psnr(const at::Tensor& reference, const at::Tensor& estimate, double data_range);

/// Root mean square error, sqrt(mean((estimate - reference)^2)) over all elements, in units of the images.
/// @throws Error{kInput} on unlike, empty or complex images
double rmse(const at::Tensor& reference, const at::Tensor& estimate);

/// Mean error (bias), mean(estimate - reference) over all elements, in units of the images: positive where the estimate
/// is too bright.
/// @throws Error{kInput} on unlike, empty or complex images
double mean_error(const at::Tensor& reference, const at::Tensor& estimate);

}  // namespace reseda::metrics
