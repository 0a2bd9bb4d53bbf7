#include "modules/inverse/conjugate_gradient.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"

namespace reseda::inverse {
namespace {

/// Re <u, v> of each item, [B] float64.
at::Tensor product(const at::Tensor& u, const at::Tensor& v) {
  const at::Tensor terms = u.is_complex() ? at::real(u.conj() * v) : u * v;
  return terms.flatten(1).sum(1, /*keepdim=*/false, at::kDouble);
}

/// Numbers of the items as factors of their tensors.
at::Tensor factors(const at::Tensor& numbers, const at::Tensor& like) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
  shape[0] = like.size(0);
  return numbers.to(c10::toRealValueType(like.scalar_type())).reshape(shape);
}

/// numerator / denominator, 0 where an item is done or the quotient says nothing.
at::Tensor quotient(const at::Tensor& numerator, const at::Tensor& denominator, const at::Tensor& active) {
  return at::where(at::logical_and(active, denominator > 0), numerator / denominator, at::zeros_like(numerator));
}

}  // namespace

CgResult conjugate_gradient(const LinearMap& normal, const at::Tensor& b, const at::Tensor& start,
                            const CgSettings& settings) {
  RESEDA_REQUIRE(settings.iterations >= 1, Errc::kUsage, "conjugate gradients need >= 1 iterations, got ",
                 settings.iterations);
  RESEDA_REQUIRE(settings.tolerance >= 0, Errc::kUsage, "tolerance of conjugate gradients must be >= 0, got ",
                 settings.tolerance);
  CgResult out{start.defined() ? start : at::zeros_like(b), {}, 0};
  at::Tensor r = start.defined() ? b - normal(start) : b;
  const at::Tensor goal = product(b, b) * (settings.tolerance * settings.tolerance);
  at::Tensor p = r, square = product(r, r), active = square > goal;
  while (out.iterations < settings.iterations && active.any().item<bool>()) {
    const at::Tensor np = normal(p);
    const at::Tensor step = quotient(square, product(p, np), active);
    out.x = out.x + factors(step, p) * p;
    r = r - factors(step, p) * np;
    const at::Tensor next = product(r, r);
    active = at::logical_and(active, next > goal);
    p = r + factors(quotient(next, square, active), p) * p;
    square = next;
    ++out.iterations;
  }
  out.residual = square.sqrt();
  return out;
}

CgResult least_squares(const ForwardOperator& op, const at::Tensor& y, double weight, const at::Tensor& anchor,
                       const CgSettings& settings) {
  RESEDA_REQUIRE(op.is_linear(), Errc::kUsage, "least squares by conjugate gradients need a linear operator");
  RESEDA_REQUIRE(weight >= 0, Errc::kUsage, "weight of the anchor must be >= 0, got ", weight);
  at::Tensor b = op.adjoint(y);
  if (anchor.defined()) b = b + weight * anchor;
  const auto normal = [&](const at::Tensor& x) { return op.adjoint(op.apply(x)) + weight * x; };
  return conjugate_gradient(normal, b, anchor, settings);
}

}  // namespace reseda::inverse
