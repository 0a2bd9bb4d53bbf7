#include "modules/inverse/operators/walsh.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::inverse {
namespace {

/// Hadamard's row of each sequency: the bits of its Gray code in reverse.
at::Tensor sequency_order(std::int64_t count) {
  const at::Tensor order = at::empty({count}, at::kLong);
  for (std::int64_t k = 0; k < count; ++k) {
    std::int64_t row = 0;
    std::int64_t gray = k ^ (k >> 1);
    for (std::int64_t bit = 1; bit < count; bit *= 2, gray /= 2) row = 2 * row + gray % 2;
    order.data_ptr<std::int64_t>()[k] = row;
  }
  return order;
}

}  // namespace

bool is_power_of_two(std::int64_t value) { return value > 0 && (value & (value - 1)) == 0; }

at::Tensor walsh_transform(const at::Tensor& x) {
  const std::int64_t count = x.size(-1);
  RESEDA_INVARIANT(is_power_of_two(count));
  at::Tensor values = x.reshape({-1, count});
  for (std::int64_t half = 1; half < count; half *= 2) {
    const at::Tensor pairs = values.reshape({-1, count / (2 * half), 2, half});
    const at::Tensor low = pairs.select(2, 0), high = pairs.select(2, 1);
    values = at::stack({low + high, low - high}, 2);
  }
  return (values.reshape({-1, count}).index_select(1, sequency_order(count).to(x.device())) /
          std::sqrt(static_cast<double>(count)))
      .reshape(x.sizes());
}

at::Tensor walsh_transform_2d(const at::Tensor& x) {
  return walsh_transform(walsh_transform(x).transpose(-1, -2)).transpose(-1, -2);
}

}  // namespace reseda::inverse
