#include "modules/diffusion/weighted_sum.hpp"

#include <ATen/ATen.h>

namespace reseda::diffusion {

at::Tensor weighted_sum(std::initializer_list<Term> terms) {
  at::Tensor sum, like;
  for (const Term& term : terms) {
    if (!term.value.defined()) continue;
    if (!like.defined()) like = term.value;
    const bool scalar = term.weight.is_scalar();
    if (scalar && term.weight.scalar() == 0.0) continue;
    if (!sum.defined()) {
      sum = term.weight * term.value;
      if (sum.scalar_type() != like.scalar_type()) sum = sum.to(like.scalar_type());
    } else if (scalar) {
      sum.add_(term.value, term.weight.scalar());
    } else {
      sum.add_(term.weight * term.value);
    }
  }
  RESEDA_INVARIANT(like.defined());
  return sum.defined() ? sum : at::zeros_like(like);
}

}  // namespace reseda::diffusion
