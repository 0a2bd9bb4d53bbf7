#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "modules/core/noise.hpp"
#include "modules/core/progress.hpp"
#include "modules/inverse/operators/ray_geometry.hpp"
#include "pipelines/medical/prior_denoiser.hpp"

namespace reseda::medical {

/// How a slice is found from its line integrals.
struct SinogramConfig {
  std::string method = "wavelet";
  std::string filter = "ramp";
  std::int64_t size = 0;
  inverse::RayConfig rays;
  double water = 0.0192;
  bool hounsfield = false;
  double threshold = 0.7;
  std::int64_t levels = 4;
  PriorConfig prior = {.sigma_first = 0.06, .sigma_last = 0.015, .lambda = 1.0};
  template <class V>
  void fields(V& v) {
    v("method", method,
      "fbp: filtered back-projection; wavelet: sparse wavelets; plug-and-play: the prior as denoiser from wavelet on; "
      "red-diff: the prior as regulariser");
    v("filter", filter, "fbp: ramp (Ram-Lak), shepp_logan, cosine, hamming, hann");
    v("size", size, "pixels a side of the image; 0: as many as detector elements");
    v("rays", rays, "geometry; views and detectors are the sinogram's");
    v("water", water, "attenuation of water, 1/mm");
    v("hounsfield", hounsfield, "write HU in place of attenuations in 1/mm");
    v("threshold", threshold, "wavelet: what wavelets are shrunk by, in deviations of the noise that is taken out");
    v("levels", levels, "wavelet: levels of the transform");
    v("prior", prior, "the splitting of wavelet and plug-and-play; the solver of red-diff");
  }
  /// @throws Error{kUsage}
  void validate() const;
  bool needs_prior() const { return method == "plug-and-play" || method == "red-diff"; }
};

struct SinogramImage {
  at::Tensor slice;   ///< [N,N] float32, 1/mm, or HU
  double noise = 0;   ///< estimated deviation of a line integral
  double misfit = 0;  ///< |y - A x|^2 / |y|^2
};

/// Reconstructs one slice; the prior sees attenuations from 0 to twice water's (-1000 to 1000 HU) as black to white.
/// @param y      [views,detectors] float32, line integrals without unit (attenuation times mm)
/// @param prior  may be null where config.needs_prior() is false
/// Draws: those of red-diff under the item.
/// @throws Error{kUsage} where the geometry does not fit, Error{kInput} where the sinogram is empty
SinogramImage reconstruct_sinogram(const at::Tensor& y, const SinogramConfig& config, const PriorDenoiser* prior,
                                   NoiseSource& noise, const std::string& item, const ProgressSink& progress);

/// Deviation of white noise in a sinogram: 1.4826 median |d| / sqrt(6), d its second differences along the detector.
/// @param y  [views,detectors], at least 3 detectors
double integral_noise(const at::Tensor& y);

}  // namespace reseda::medical
