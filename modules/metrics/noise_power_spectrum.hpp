#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

namespace reseda::metrics {

/// How noise is spread over spatial frequencies.
struct NoisePowerSpectrum {
  std::vector<double> frequency;  ///< centres of the bins, in cycles per unit of the spacing, ascending
  std::vector<double> power;      ///< units^2 spacing^2, e.g. HU^2 mm^2; the mean over the bin
  double sigma = 0.0;             ///< standard deviation about each patch's plane: sqrt of the integral of the spectrum
  double mean_frequency = 0.0;    ///< sum of f NPS over sum of NPS, over the plane of frequencies
  std::int64_t patches = 0;       ///< that served; 0: nothing is flat or in the mask, and the rest is empty or NaN
};

/// Spectrum of a residual in the flat parts of an object.
///   NPS(u, v) = a b / N^2 mean over patches of |DFT of (residual - its plane)|^2,  radial mean in bins of 1 / (N a)
/// Patches are N x N = 32 x 32 pixels (half of a smaller slice), every 16; those lie in the mask by 95 %, and of them
/// the quarter in which the reference varies least serves: what structure the residual has at edges is not counted.
/// The bins run from 1 to the lower of both Nyquist frequencies; the constant and the plane are not in them.
/// @param residual   [D,H,W], real: an image less its reference; computed in float64
/// @param reference  [D,H,W]: says what is flat
/// @param mask       [D,H,W] bool
/// @param spacing    a between rows, b between columns; the finer one sets the bins
/// @throws Error{kInput} on unlike shapes, slices below 16 pixels, or a spacing that is not positive
/// Source: Samei et al. 2019, "Performance evaluation of computed tomography systems: Summary of AAPM Task Group 233";
/// Boedeker, Cooper, McNitt-Gray 2007, "Application of the noise power spectrum in modern diagnostic MDCT".
NoisePowerSpectrum noise_power_spectrum(const at::Tensor& residual, const at::Tensor& reference, const at::Tensor& mask,
                                        const std::array<double, 2>& spacing);

}  // namespace reseda::metrics
