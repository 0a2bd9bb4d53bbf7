#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace reseda::inverse {

/// Orthogonal wavelet transform of the last two axes with Daubechies' eight-tap filter, periodic at the borders:
///   low[n] = sum_k h[k] x[2 n + k],  high[n] = sum_k g[k] x[2 n + k],  g[k] = (-1)^(k+1) h[7 - k]
/// first along the columns, then along the rows, then again on the low band, `levels` times. The bands lie where Mallat
/// draws them, the coarsest in the upper left corner. Keeps the energy. Real or complex; sides must be multiples of
/// 2^levels. Deterministic.
/// @throws Error{kUsage} where the sides do not fit
/// Source: Daubechies 1988, "Orthonormal Bases of Compactly Supported Wavelets", Table 1 (N = 4); Mallat 1989, "A
/// Theory for Multiresolution Signal Decomposition".
at::Tensor wavelet_analysis(const at::Tensor& x, std::int64_t levels);
/// Its inverse, which is its adjoint.
at::Tensor wavelet_synthesis(const at::Tensor& bands, std::int64_t levels);

/// Soft-thresholds every band but the coarsest of the image moved by (down, across) pixels, and moves it back:
///   x' = S_{-s} W^T shrink(W S_s x, threshold)
/// Images whose sides are not multiples of 2^levels are mirrored at their ends first. Shifts that change from call to
/// call take the grid of the wavelets out of the result. Complex values shrink by their real and imaginary part alone.
/// Source: Coifman, Donoho 1995, "Translation-Invariant De-Noising".
at::Tensor shrink_wavelets(const at::Tensor& x, double threshold, std::int64_t levels, std::int64_t down,
                           std::int64_t across);

}  // namespace reseda::inverse
