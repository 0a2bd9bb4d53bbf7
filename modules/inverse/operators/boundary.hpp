#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace reseda::inverse {

/// What lies beyond the edge of an image.
enum class Boundary {
  kZero,     ///< 0
  kReflect,  ///< the image mirrored with its edge repeated: ... c b a | a b c ...
  kPeriodic  ///< the image again
};

/// @throws Error{kUsage} unless the text is zero, reflect or periodic
Boundary parse_boundary(const std::string& text);

/// Index inside of 0 .. count-1 of the sample that stands at `index`; -1 for the zeros of Boundary::kZero.
std::int64_t inside_index(std::int64_t index, std::int64_t count, Boundary boundary);

/// The matrix [n,n] float64 of a convolution, y[i] = sum_t kernel[t] x[i + r - t], r = (kernel size) / 2.
/// @param taps  [K] float64, K odd
at::Tensor convolution_matrix(const at::Tensor& taps, std::int64_t count, Boundary boundary);

}  // namespace reseda::inverse
