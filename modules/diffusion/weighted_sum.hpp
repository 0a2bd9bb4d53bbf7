#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>

#include "modules/diffusion/process.hpp"

namespace reseda::diffusion {

struct Term {
  Coef weight;
  const at::Tensor& value;
};

/// sum of weight * value in the type of the first value, with one pass over memory per term. A term whose value is
/// undefined, or whose scalar weight is exactly 0, is left out: what is weighted with 0 may hold anything.
/// @throws Error{kInternal} when no term has a value
at::Tensor weighted_sum(std::initializer_list<Term> terms);

}  // namespace reseda::diffusion
