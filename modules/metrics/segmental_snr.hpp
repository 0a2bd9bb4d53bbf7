#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "modules/metrics/signal_pair.hpp"

namespace reseda::metrics {

/// Segmental signal-to-noise ratio.
///   segSNR = mean over frames m of clamp(10 log10(sum_n (r w)^2 / sum_n ((r - e) w)^2), -10, 35) dB
///   w = Hann window; frames of 32 ms every 8 ms; frames in which the reference is exactly zero are left out, a frame
///   without error counts as 35 dB.
/// Not scale-invariant and not aligned in time.
/// @param reference, estimate  [L] float32 or float64; computed in float64
/// @return dB in [-10, 35]; NaN if the reference is silent
/// @throws Error{kInput} on unlike, empty or non-real signals, or a rate below 1
/// Source: Hansen and Pellom 1998, "An effective quality evaluation protocol for speech enhancement algorithms" (frames
/// of 30 ms there).
double segmental_snr(const at::Tensor& reference, const at::Tensor& estimate, std::int64_t rate_hz,
                     const FrameConfig& frames = {});

}  // namespace reseda::metrics
