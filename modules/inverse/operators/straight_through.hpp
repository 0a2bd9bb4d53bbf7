#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace reseda::inverse {

/// Rounding whose derivative is taken as 1 (straight through) or is the true one, 0.
/// Source: Bengio, Leonard, Courville 2013, "Estimating or Propagating Gradients Through Stochastic Neurons".
inline at::Tensor with_rounding_gradient(const at::Tensor& x, const at::Tensor& rounded, bool straight_through) {
  // The difference of a number and its rounding is exact, and so is the sum.
  return straight_through ? x + (rounded - x).detach() : rounded.detach();
}

inline constexpr const char* kStraightThroughHelp =
    "take the derivative of rounding as 1; false: 0, so that the data has no gradient, as in RED-diff";

}  // namespace reseda::inverse
