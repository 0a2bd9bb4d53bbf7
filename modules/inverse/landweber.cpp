#include "modules/inverse/landweber.hpp"

#include <ATen/ATen.h>

namespace reseda::inverse {

at::Tensor landweber_step(const ForwardOperator& op, const at::Tensor& x, const at::Tensor& y, double weight) {
  return x + weight * op.adjoint(y - op.apply(x));
}

at::Tensor normalised_step(const ForwardOperator& op, const at::Tensor& x, const at::Tensor& y) {
  const at::Tensor reach = op.adjoint(op.apply(at::ones_like(x.slice(0, 0, 1))));
  const at::Tensor weight = at::where(reach == 0, at::zeros_like(reach), reach.reciprocal());
  return x + weight * op.adjoint(y - op.apply(x));
}

}  // namespace reseda::inverse
