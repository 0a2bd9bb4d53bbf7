#pragma once

#include <ATen/core/Tensor.h>

namespace reseda::metrics {

/// Relative error of the logarithmic amplitude spectrum of an estimate.
///   E = || A(estimate) - A(reference) || / || A(reference) ||,   A(x) = ln(1 + |DFT2(x)| / R)
/// DFT2: not normalised, over the whole image; norms over all H W frequencies. Equal images: 0; an estimate of nothing:
/// 1. The logarithm weighs weak high frequencies nearly as strong low ones, so that lost or invented detail counts; the
/// phase does not, so shifted detail costs nothing: read it beside PSNR.
/// @param reference, estimate  [H, W], real; computed in float64
/// @param data_range  R, in units of the images
/// @throws Error{kInput} on unlike, empty or complex images, another number of axes, or unless R is positive and
///         finite
double spectral_error(const at::Tensor& reference, const at::Tensor& estimate, double data_range);

}  // namespace reseda::metrics
