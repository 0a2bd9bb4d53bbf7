#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace reseda::golden {

/// Evaluates the definition of an artificial estimate in a metrics case.
///   sums, differences, products (also by juxtaposition: "0.8 x"), quotients, parentheses, tanh(a), clip(a, low, high),
///   abs(a), numbers and the given names; in front of it may stand "K zeros, then the first L-K samples of".
/// @param names  [L] float64 each
/// @throws Error{kInput} with the formula and the place where it cannot be read
at::Tensor evaluate_formula(const std::string& formula, const std::map<std::string, at::Tensor>& names);

}  // namespace reseda::golden
