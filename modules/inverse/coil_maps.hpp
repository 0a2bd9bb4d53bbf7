#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace reseda::inverse {

/// Root sum of squares sqrt(sum_c |x_c|^2) along an axis, which is dropped; real.
at::Tensor root_sum_of_squares(const at::Tensor& coil_images, std::int64_t axis);

/// The image that the maps explain best, sum_c conj(S_c) x_c / sum_c |S_c|^2, 0 where no coil sees anything; coils are
/// axis 1, which is kept with one channel.
at::Tensor combine_coils(const at::Tensor& coil_images, const at::Tensor& maps);

/// Sensitivities of a simulated array: coils on a circle around the image, each with
///   1 / r e^{i phi}, r and phi distance (in half sides, at least 1/2) and direction of the pixel as the coil sees it,
/// scaled to sum_c |S_c|^2 = 1. [coils,height,width] complex64.
at::Tensor birdcage_maps(std::int64_t coils, std::int64_t height, std::int64_t width);

/// Sensitivities from the fully sampled middle of the spectrum: x_c = F_c^{-1}(w y_c), w a Hann window over the
/// calibration lines, S_c = x_c / sqrt(sum |x_c|^2).
/// @param spectrum     [B,coils,H,W] complex, origin in the middle
/// @param calibration  side of the square that is fully sampled, in samples; cut to the spectrum's
/// @return             [B,coils,H,W]; sum_c |S_c|^2 = 1 where there is signal
/// Source: McKenzie et al. 2002, "Self-Calibrating Parallel Imaging with Automatic Coil Sensitivity Extraction".
at::Tensor low_resolution_maps(const at::Tensor& spectrum, std::int64_t calibration);

struct EspiritSettings {
  std::int64_t calibration = 24;  ///< side of the fully sampled square, in samples
  std::int64_t kernel = 6;        ///< side of the kernels, in samples
  double threshold = 0.02;        ///< singular values below this share of the largest are noise
  double crop = 0.95;             ///< maps are 0 where the eigenvalue is lower
  std::int64_t iterations = 100;  ///< of the power method
};

/// ESPIRiT: the eigenvectors to eigenvalue 1 of what reproduces the calibration data. With the kernels v_k that span
/// the row space of the calibration matrix, as images K_k,c(r),
///   G(r) = sum_k K_k(r) K_k(r)^H,  S(r) = its leading eigenvector, with the first coil's phase taken as 0
/// Arguments and result as for low_resolution_maps(); 0 where the leading eigenvalue is below `crop`.
/// @throws Error{kUsage} where the kernel does not fit into the calibration square
/// Source: Uecker et al. 2014, "ESPIRiT - an Eigenvalue Approach to Autocalibrating Parallel MRI". Official: the
/// published pipelines call sigpy, sigpy/mri/app.py (EspiritCalib), whose defaults these are but for crop.
at::Tensor espirit_maps(const at::Tensor& spectrum, const EspiritSettings& settings);

}  // namespace reseda::inverse
