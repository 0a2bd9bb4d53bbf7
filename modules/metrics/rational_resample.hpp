#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace reseda::metrics {

/// Taps of the low-pass of `rational_resample`, 2 L + 1 of them, sum 1:
///   h[k] ~ sinc(2 f k) kaiser(k; beta), k = -L .. L,  f = 1 / (2 max(up, down)),  roll-off width f / 10,
///   L = ceil((A - 8) / (28.714 f / 10)),  beta = 0.1102 (A - 8.7),  A = 60 dB of rejection
/// Source: the filter of GNU Octave's resample (Kaiser's design formulas), which the reference STOI implementations
/// use.
std::vector<double> resampling_filter(std::int64_t up, std::int64_t down);

/// Changes the sample rate by up / down with zeros outside the signal:
///   y[m] = up sum_k x[k] h[m down - k up],  m = 0 .. ceil(L up / down) - 1
/// The resampler that STOI is defined with; for audio output io/audio has a better one.
/// @param signal  [L] float64, contiguous
/// @return        [ceil(L up / down)] float64 (up and down without their common divisor); the signal itself if up =
/// down
/// @throws Error{kInput} unless 1 <= up, down <= 768000
at::Tensor rational_resample(const at::Tensor& signal, std::int64_t up, std::int64_t down);

}  // namespace reseda::metrics
