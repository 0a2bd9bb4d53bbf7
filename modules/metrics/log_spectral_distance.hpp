#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "modules/metrics/signal_pair.hpp"

namespace reseda::metrics {

/// Log-spectral distance of an estimate from its reference.
///   LSD = mean over frames m of sqrt(mean over bins f of (10 log10 P_r(f, m) - 10 log10 P_e(f, m))^2) dB
///   P = |rfft(Hann-windowed frame)|^2, not below 1e-8 of the reference's largest P (80 dB under its peak), so that
///   digital silence and rounding noise do not decide; all bins, DC and Nyquist included. Frames of 32 ms every 8 ms.
/// Not scale-invariant: a gain of 6 dB costs 6 dB where the spectra lie over the floor.
/// @param reference, estimate  [L] float32 or float64; computed in float64
/// @return dB, 0 for equal signals; NaN for a silent reference
/// @throws Error{kInput} on unlike, empty or non-real signals, or a rate below 1
/// Source: Gray and Markel 1976, "Distance measures for speech processing", Eq. (5) with p = 2; the floor is ours.
double log_spectral_distance(const at::Tensor& reference, const at::Tensor& estimate, std::int64_t rate_hz,
                             const FrameConfig& config = {});

}  // namespace reseda::metrics
