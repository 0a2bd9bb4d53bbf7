#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace reseda::inverse {

/// The orthonormal Walsh transform of the last axis in sequency order: row k of its matrix has k sign changes. It is
/// symmetric and its own inverse. n log n additions. @param x  [...,n], n a power of two
at::Tensor walsh_transform(const at::Tensor& x);
/// The same along the last two axes.
at::Tensor walsh_transform_2d(const at::Tensor& x);

bool is_power_of_two(std::int64_t value);

}  // namespace reseda::inverse
