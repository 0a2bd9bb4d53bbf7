#pragma once

#include <ATen/core/Tensor.h>

namespace reseda::metrics {

/// Scale-invariant signal-to-distortion ratio of an estimate, both means removed first.
///   r = reference - mean, e = estimate - mean, t = (<e, r> / ||r||^2) r
///   SI-SDR = 10 log10((||t||^2 + d) / (||e - t||^2 + d)) dB, d = 1e-20 (also added to ||r||^2)
/// @param reference, estimate  [L] float32 or float64; computed in float64
/// @return dB; finite for finite input: an exact estimate gives more than 150 dB, two silent signals 0 dB
/// @throws Error{kInput} on unlike, empty or non-real signals
/// Source: Le Roux et al. 2019, "SDR - half-baked or well done?", with the mean removal usual in evaluation scripts.
double si_sdr(const at::Tensor& reference, const at::Tensor& estimate);

/// Ratios in dB of the parts of an estimate.
struct EnergyRatios {
  double si_sdr, si_sir, si_sar;
};

/// The three ratios SGMSE+ reports, without mean removal:
///   s = (<e, x> / ||x||^2) x,  i = (<e, n> / ||n||^2) n,  a = e - s - i
///   SI-SDR = 10 log10(||s||^2 / ||i + a||^2),  SI-SIR = 10 log10(||s||^2 / ||i||^2),  SI-SAR = 10 log10(||s||^2 /
///   ||a||^2)
/// Quirk: i is the projection on n itself, which is not made orthogonal to x first, so that i takes a part of x with
/// it.
/// @param clean     x, [L] float32 or float64; computed in float64
/// @param noise     n = noisy - clean
/// @param estimate  e
/// @return dB; infinite or NaN where a part vanishes (no noise, silent reference, exact estimate)
/// @throws Error{kInput} on unlike, empty or non-real signals
/// Source: Richter et al. 2023, "Speech Enhancement and Dereverberation with Diffusion-Based Generative Models", Sec.
/// IV. Official: sp-uhh/sgmse sgmse/util/other.py
EnergyRatios energy_ratios(const at::Tensor& clean, const at::Tensor& noise, const at::Tensor& estimate);

}  // namespace reseda::metrics
