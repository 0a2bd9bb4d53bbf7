#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "modules/core/state_dict.hpp"

namespace reseda::tools {

/// How far values moved when they were rounded to another type.
struct Rounding {
  double largest = 0;   ///< max |rounded - value|
  double relative = 0;  ///< that, divided by the tensor's largest |value|
  std::string tensor;   ///< where `relative` is largest; untrusted
};

/// Rounds every floating-point tensor to `dtype`; integers, bools and complex numbers stay.
/// @param rounding  how far the worst tensor moved, by `relative`
/// @throws Error{kNumeric} naming a tensor whose finite values are beyond the type's range
StateDict round_weights(const StateDict& weights, c10::ScalarType dtype, Rounding& rounding);

}  // namespace reseda::tools
