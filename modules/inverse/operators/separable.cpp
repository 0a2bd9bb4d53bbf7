#include "modules/inverse/operators/separable.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"

namespace reseda::inverse {
namespace {

constexpr double kRankTolerance = 1e-6;

/// [B,C,h,w] -> [B,h w C] with the entries in the given order and channels alternating, and back.
at::Tensor to_coefficients(const at::Tensor& grid, const at::Tensor& order) {
  return grid.flatten(2).index_select(2, order.to(grid.device())).transpose(1, 2).flatten(1);
}
at::Tensor to_grid(const at::Tensor& coefficients, const at::Tensor& places, at::IntArrayRef grid) {
  const std::int64_t items = coefficients.size(0);
  return coefficients.reshape({items, places.size(0), -1})
      .transpose(1, 2)
      .index_select(2, places.to(coefficients.device()))
      .reshape({items, -1, grid[0], grid[1]});
}

/// Entries of the h x w measured corner of an n x w_full grid row by row, then the others row by row.
at::Tensor measured_first(const at::Tensor& measured) {
  return at::argsort(measured.flatten(), /*stable=*/true, /*dim=*/0, /*descending=*/true);
}

at::Tensor sides(const at::Tensor& left, const at::Tensor& x, const at::Tensor& right) {
  return at::matmul(at::matmul(constant_like(left, x), x), constant_like(right, x));
}

}  // namespace

MatrixSvd matrix_svd(const at::Tensor& matrix, double cut) {
  auto [u, s, vh] = at::linalg_svd(matrix, /*full_matrices=*/true);
  const double floor = std::max(cut, kRankTolerance * s.max().item<double>());
  s = at::where(s < floor, at::zeros_like(s), s);
  RESEDA_REQUIRE(s.max().item<double>() > 0, Errc::kUsage, "operator.singular_cut ", cut,
                 " leaves nothing of the operator");
  return {u, s, vh.t().contiguous()};
}

Separable::Separable(const char* name, const ImageShape& shape, MatrixSvd rows, MatrixSvd columns, const Form& form)
    : name_(name),
      shape_(shape),
      rows_(std::move(rows)),
      columns_(std::move(columns)),
      shifted_values_(form.shifted_values),
      keeps_null_(form.keeps_null) {
  const std::int64_t h = rows_.s.size(0), w = columns_.s.size(0);
  RESEDA_INVARIANT(rows_.v.size(0) == shape.height && columns_.v.size(0) == shape.width);
  a_ = rows_.u.matmul(rows_.s.unsqueeze(1) * rows_.v.slice(1, 0, h).t());
  b_ = columns_.u.matmul(columns_.s.unsqueeze(1) * columns_.v.slice(1, 0, w).t());
  const at::Tensor inside = at::zeros({shape.height, shape.width}, at::kLong);
  inside.slice(0, 0, h).slice(1, 0, w).fill_(1);
  order_ = form.order.defined() ? form.order : measured_first(inside);
  places_ = at::argsort(order_);
  // The measured entries (i, j) of the V grid, at i w + j in the grid of the measurement.
  const at::Tensor first = order_.slice(0, 0, h * w), i = at::floor_divide(first, shape.width),
                   j = at::remainder(first, shape.width);
  RESEDA_REQUIRE((i < h).logical_and(j < w).all().item<bool>(), Errc::kUsage, "operator ", name,
                 ": the order of the coefficients must begin with the measured ones");
  out_order_ = i * w + j;
  out_places_ = at::argsort(out_order_);
  const at::Tensor values = at::outer(rows_.s, columns_.s).flatten().index_select(0, out_order_);
  singulars_ = shifted_values_ ? values.repeat({shape.channels}) : values.repeat_interleave(shape.channels);
}

at::Tensor Separable::apply(const at::Tensor& x) const {
  shape_.require(x, name_);
  if (shifted_values_) return u(constant_like(singulars_, x) * vt(x).slice(1, 0, singulars_.size(0)));
  return sides(a_, x, b_.t());
}

at::Tensor Separable::adjoint(const at::Tensor& y) const {
  require_measurement(y, {shape_.channels, a_.size(0), b_.size(0)}, name_);
  if (shifted_values_)
    return v(at::constant_pad_nd(constant_like(singulars_, y) * ut(y), {0, shape_.size() - singulars_.size(0)}));
  return sides(a_.t(), y, b_);
}

at::Tensor Separable::pseudo_inverse(const at::Tensor& y) const {
  require_measurement(y, {shape_.channels, a_.size(0), b_.size(0)}, name_);
  const at::Tensor unused = keeps_null_ ? at::ones_like(singulars_) : at::zeros_like(singulars_);
  const at::Tensor inverse = at::where(singulars_ > 0, singulars_.reciprocal(), unused);
  return v(at::constant_pad_nd(constant_like(inverse, y) * ut(y), {0, shape_.size() - singulars_.size(0)}));
}

at::Tensor Separable::vt(const at::Tensor& x) const {
  shape_.require(x, name_);
  return to_coefficients(sides(rows_.v.t(), x, columns_.v), order_);
}
at::Tensor Separable::v(const at::Tensor& coefficients) const {
  return sides(rows_.v, to_grid(coefficients, places_, {shape_.height, shape_.width}), columns_.v.t());
}
at::Tensor Separable::ut(const at::Tensor& y) const {
  require_measurement(y, {shape_.channels, a_.size(0), b_.size(0)}, name_);
  return to_coefficients(sides(rows_.u.t(), y, columns_.u), out_order_);
}
at::Tensor Separable::u(const at::Tensor& coefficients) const {
  return sides(rows_.u, to_grid(coefficients, out_places_, {a_.size(0), b_.size(0)}), columns_.u.t());
}

}  // namespace reseda::inverse
