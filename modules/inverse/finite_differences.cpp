#include "modules/inverse/finite_differences.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"

namespace reseda::inverse {

at::Tensor difference(const at::Tensor& x, std::int64_t axis, Boundary boundary) {
  at::Tensor out = x.roll(-1, axis) - x;
  if (boundary == Boundary::kOpen && x.size(axis) > 0) out.select(axis, -1).zero_();
  return out;
}

at::Tensor difference_adjoint(const at::Tensor& v, std::int64_t axis, Boundary boundary) {
  if (boundary == Boundary::kWrap || v.size(axis) == 0) return v.roll(1, axis) - v;
  at::Tensor known = v.clone();
  known.select(axis, -1).zero_();
  return known.roll(1, axis) - known;
}

at::Tensor shrink(const at::Tensor& x, double threshold) {
  RESEDA_REQUIRE(threshold >= 0, Errc::kInternal, "threshold must be >= 0, got ", threshold);
  return x.sign() * (x.abs() - threshold).clamp_min(0);
}

std::vector<at::Tensor> shrink_jointly(const std::vector<at::Tensor>& components, double threshold) {
  RESEDA_REQUIRE(threshold >= 0, Errc::kInternal, "threshold must be >= 0, got ", threshold);
  const at::Tensor length = at::linalg_vector_norm(at::stack(components), 2, at::IntArrayRef{0});
  const at::Tensor factor = at::where(length > 0, (length - threshold).clamp_min(0) / length, at::zeros_like(length));
  std::vector<at::Tensor> out;
  for (const at::Tensor& component : components) out.push_back(component * factor);
  return out;
}

}  // namespace reseda::inverse
