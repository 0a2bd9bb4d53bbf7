#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace reseda::tools {

/// What counts as equal:  |a - b| <= absolute + relative |b|.
struct Tolerance {
  double absolute = 0, relative = 0;
  bool exact() const { return absolute == 0 && relative == 0; }
};

/// How two tensors of one shape differ, element by element, in double precision.
struct TensorDifference {
  std::int64_t differing = 0;  ///< elements beyond the tolerance
  double largest = 0;          ///< max |a - b|; infinite where one of the two is no finite number and the other differs
  double relative = 0;         ///< max |a - b| / max(|a|, |b|) over elements
  std::int64_t at = -1;        ///< row-major index of the largest difference, -1 if there is none
};

/// Compares values; types may differ. NaN equals NaN, and infinities of one sign are equal. 64-bit integers that differ
/// count as different even where double precision cannot tell them apart.
/// @throws Error{kInternal} if the shapes differ
TensorDifference difference_of(const at::Tensor& a, const at::Tensor& b, const Tolerance& tolerance);

}  // namespace reseda::tools
