#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace reseda::metrics {

/// The delay of an estimate: the lag d, |d| <= most, with the largest cross-correlation
///   c(d) = sum_n reference[n] estimate[n + d]
/// Positive where the estimate lags behind. The smallest |d| wins among equal values, so that silence gives 0.
/// @param reference, estimate  [L] float32 or float64
/// @throws Error{kInput} on unlike, empty or non-real signals
std::int64_t delay_samples(const at::Tensor& reference, const at::Tensor& estimate, std::int64_t most);

}  // namespace reseda::metrics
