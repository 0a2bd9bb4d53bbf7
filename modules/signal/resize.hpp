#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>

#include "modules/signal/resize_weights.hpp"

namespace reseda::signal {

/// Resizes images as a library of reference does it: y = A x B^T, with one row of weights per output row and column.
///
/// Output pixel i of an axis lies at c = (i + 1/2) / s - 1/2 of the input, s = `scale` or, without it, out / in. A tap
/// j weighs h(f (j - c)); rows are normalised to sum 1. f = 1, or with antialiasing f = min(s, 1).
///   cubic(a):  (a+2)|d|^3 - (a+3)|d|^2 + 1 for |d| < 1;  a (|d|^3 - 5|d|^2 + 8|d| - 4) for 1 <= |d| < 2
///   triangle:  1 - |d| for |d| < 1        lanczos(n): sinc(d) sinc(d/n) for |d| < n,  sinc(d) = sin(pi d) / (pi d)
///
///   pillow_box, pillow_bilinear, pillow_bicubic, pillow_lanczos: 1 for -1/2 < d <= 1/2, triangle, cubic(-1/2),
///     lanczos(3); antialiasing; taps beyond an edge are left out. Pillow's Image.resize
///   torch_bilinear_antialias, torch_bicubic_antialias: as pillow_bilinear and pillow_bicubic. F.interpolate with
///     antialias = True
///   torch_bilinear, torch_bicubic: triangle, cubic(-3/4); no antialiasing; beyond an edge it repeats. F.interpolate
///     with align_corners = False
///   opencv_linear, opencv_cubic, opencv_lanczos4: the same, and lanczos(4). INTER_LINEAR, INTER_CUBIC, INTER_LANCZOS4
///   opencv_area: the mean of the pixels that [i / s, (i + 1) / s) covers, by their parts; if an axis grows, pixel q =
///     floor(i / s) weighs 1 - p and q + 1 weighs p = frac(max(0, i + 1 - s (q + 1))). INTER_AREA
///   matlab_bicubic, matlab_bicubic_plain: cubic(-1/2) with and without antialiasing; beyond an edge the image is
///     mirrored, the edge repeated. MATLAB's and BasicSR's imresize
///
/// The width is resized first, then the height; an axis that keeps its size (and s = 1) is not touched. Floats: weights
/// and sums in float64, rounded to the type of x after each axis; Pillow's mode F bit for bit, the others to rounding.
/// uint8 (pillow_* only): Pillow's fixed point bit for bit: weights round(2^22 w), halves away from zero; sums start at
/// 2^21 and are shifted by 22 and clipped to 0 .. 255 after each axis. Floats are not clipped: cubics overshoot.
/// Differentiable for floats. Deterministic.
///
/// @param x       [.., H, W], floating point or uint8
/// @param scale   output pixels per input pixel of both axes, where it is not out / in, as MATLAB and F.interpolate
///                have it when called with a factor that does not give whole sizes
/// @return [.., height, width], type of x
/// @throws Error{kUsage} on an unknown kernel (with the nearest), a size below 1, or a scale that is not positive or
/// leads to
///         sizes a pixel or more off these;
///         Error{kInput} on an image without pixels or of another type
/// Source: Keys 1981, "Cubic convolution interpolation for digital image processing". Official: python-pillow/Pillow
/// src/libImaging/Resample.c; opencv/opencv modules/imgproc/src/resize.cpp; XPixelGroup/BasicSR
/// basicsr/utils/matlab_functions.py; pytorch/pytorch aten/src/ATen/native/cpu/UpSampleKernel.cpp
at::Tensor resize(const at::Tensor& x, std::int64_t height, std::int64_t width, const std::string& kernel,
                  std::optional<double> scale = std::nullopt);

}  // namespace reseda::signal
