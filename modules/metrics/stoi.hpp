#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace reseda::metrics {

/// Short-time objective intelligibility: the mean correlation of short-time band envelopes.
///   both signals at 10 kHz; frames of 256 samples, hop 128, Hann window; frames more than 40 dB below the loudest
///   reference frame are taken out of both; X(j, m) = sqrt(sum of |rfft_512|^2 over third-octave band j), 15 bands from
///   150 Hz; over every run of 30 frames and every band: scale Y to the energy of X, clip it at
///   X (1 + 10^(15/20)), correlate; the mean over runs and bands.
/// @param clean, estimate  [L] float32 or float64, time aligned; computed in float64
/// @param rate_hz          sample rate of both, 1 to 768000 Hz
/// @return about 0 (unintelligible) to 1; NaN if fewer than 30 frames remain (less than about 0.4 s of speech)
/// @throws Error{kInput} on unlike, empty or non-real signals, or an impossible rate
/// Source: Taal et al. 2011, "An Algorithm for Intelligibility Prediction of Time-Frequency Weighted Noisy Speech".
/// Resampling, framing and the last frame (not taken if it ends exactly with the signal) are as in the Python package
/// pystoi, which returns 1e-5 instead of NaN.
double stoi(const at::Tensor& clean, const at::Tensor& estimate, std::int64_t rate_hz);

/// Extended STOI: no clipping; every run of 30 frames is brought to zero mean and unit norm along time in each band,
/// then along the bands in each frame, and the runs' inner products, divided by 30, are averaged. A band without any
/// variation in a run counts as zero. Parameters, return value and errors as `stoi`; may be negative. Source: Jensen
/// and Taal 2016, "An Algorithm for Predicting the Intelligibility of Speech Masked by Modulated Noise Maskers", Sec.
/// III.
double estoi(const at::Tensor& clean, const at::Tensor& estimate, std::int64_t rate_hz);

}  // namespace reseda::metrics
