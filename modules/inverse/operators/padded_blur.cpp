#include "modules/inverse/operators/padded_blur.hpp"

#include <ATen/ATen.h>

namespace reseda::inverse {
namespace {

constexpr const char* kName = "blur";

/// The next size that has no prime factor above 5, whose transforms are fast.
std::int64_t fast_size(std::int64_t size) {
  for (;; ++size) {
    std::int64_t rest = size;
    for (const std::int64_t prime : {2, 3, 5})
      while (rest % prime == 0) rest /= prime;
    if (rest == 1) return size;
  }
}

at::Tensor padded_places(std::int64_t count, std::int64_t radius, Boundary boundary) {
  const std::int64_t size = fast_size(count + 2 * radius);
  const at::Tensor places = at::full({size}, count, at::kLong);
  for (std::int64_t p = 0; p < count + 2 * radius; ++p) {
    const std::int64_t place = inside_index(p - radius, count, boundary);
    if (place >= 0) places.data_ptr<std::int64_t>()[p] = place;
  }
  return places;
}

}  // namespace

PaddedBlur::PaddedBlur(const ImageShape& shape, const at::Tensor& kernel, Boundary boundary)
    : shape_(shape),
      up_(kernel.size(0) / 2),
      left_(kernel.size(1) / 2),
      rows_(padded_places(shape.height, up_, boundary)),
      columns_(padded_places(shape.width, left_, boundary)),
      filter_(rows_.size(0), columns_.size(0)),
      transfer_(transfer_function(kernel, rows_.size(0), columns_.size(0)).slice(1, 0, columns_.size(0) / 2 + 1)) {}

at::Tensor PaddedBlur::apply(const at::Tensor& x) const {
  shape_.require(x, kName);
  const at::Tensor padded = at::constant_pad_nd(x, {0, 1, 0, 1})
                                .index_select(2, rows_.to(x.device()))
                                .index_select(3, columns_.to(x.device()));
  return filter_(padded, transfer_).slice(2, up_, up_ + shape_.height).slice(3, left_, left_ + shape_.width);
}

at::Tensor PaddedBlur::adjoint(const at::Tensor& y) const {
  shape_.require(y, kName);
  const std::int64_t below = rows_.size(0) - up_ - shape_.height, right = columns_.size(0) - left_ - shape_.width;
  const at::Tensor spread = filter_(at::constant_pad_nd(y, {left_, right, up_, below}), transfer_.conj());
  const at::Tensor folded = at::zeros({y.size(0), shape_.channels, shape_.height + 1, columns_.size(0)}, y.options())
                                .index_add(2, rows_.to(y.device()), spread);
  return at::zeros({y.size(0), shape_.channels, shape_.height + 1, shape_.width + 1}, y.options())
      .index_add(3, columns_.to(y.device()), folded)
      .slice(2, 0, shape_.height)
      .slice(3, 0, shape_.width);
}

at::Tensor PaddedBlur::pseudo_inverse(const at::Tensor& y) const {
  shape_.require(y, kName);
  return y;
}

}  // namespace reseda::inverse
