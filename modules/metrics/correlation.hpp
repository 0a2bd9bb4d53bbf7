#pragma once

#include <ATen/core/Tensor.h>

namespace reseda::metrics {

/// Pearson's correlation of two equally long samples, in float64:
///   sum (x - mean x)(y - mean y) / sqrt(sum (x - mean x)^2 sum (y - mean y)^2).
/// @param x, y  tensors of one shape   @return -1 to 1; NaN where one of them does not vary or is empty
/// @throws Error{kInput} on unlike shapes
double pearson_correlation(const at::Tensor& x, const at::Tensor& y);

/// Spearman's correlation: Pearson's of the ranks, where equal values share the mean of their ranks.
/// Source: scipy.stats.spearmanr, with which it agrees.
double spearman_correlation(const at::Tensor& x, const at::Tensor& y);

}  // namespace reseda::metrics
