#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace reseda::metrics {

/// A reference and its estimate as the image metrics take them: equal shapes, float64, contiguous, on the CPU.
struct ImagePair {
  at::Tensor reference, estimate;
};

/// Checks and converts a pair; values are not changed. Integer pixels are taken as numbers.
/// @param metric  name for the message
/// @throws Error{kInput} unless both are real, of one shape, and not empty
ImagePair image_pair(const at::Tensor& reference, const at::Tensor& estimate, const char* metric);

/// The image without `border` pixels on each of its four sides, as super-resolution is usually scored.
/// @param image  [.., H, W]   @return a view, [.., H - 2 border, W - 2 border]
/// @throws Error{kInput} if nothing remains
at::Tensor without_border(const at::Tensor& image, std::int64_t border);

}  // namespace reseda::metrics
