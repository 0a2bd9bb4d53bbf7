#include "modules/inverse/operators/identity.hpp"

#include <ATen/ATen.h>

namespace reseda::inverse {

at::Tensor Identity::apply(const at::Tensor& x) const {
  shape_.require(x, "identity");
  return x;
}
at::Tensor Identity::adjoint(const at::Tensor& y) const { return apply(y); }
at::Tensor Identity::pseudo_inverse(const at::Tensor& y) const { return apply(y); }

at::Tensor Identity::v(const at::Tensor& coefficients) const {
  return coefficients.reshape(shape_.batch(coefficients.size(0)));
}
at::Tensor Identity::vt(const at::Tensor& x) const { return x.reshape({x.size(0), shape_.size()}); }
at::Tensor Identity::singulars() const { return at::ones({shape_.size()}, at::kDouble); }

const OperatorEntry& operator_entry_identity() {
  static const auto entry = make_component<ForwardOperator, Identity, IdentityConfig>("identity", "the image itself");
  return entry;
}

}  // namespace reseda::inverse
