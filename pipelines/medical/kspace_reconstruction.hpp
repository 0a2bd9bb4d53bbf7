#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "modules/core/noise.hpp"
#include "modules/core/progress.hpp"
#include "modules/inverse/operators/mri.hpp"
#include "pipelines/medical/prior_denoiser.hpp"

namespace reseda::medical {

/// How an image is found from the samples of its spectrum.
struct KspaceConfig {
  std::string method = "wavelet-sense";
  std::string maps = "espirit";
  std::int64_t calibration = 24;
  std::int64_t kernel = 6;
  double crop = 0.98;
  std::int64_t cg_iterations = 15;
  double cg_weight = 0.01;
  double threshold = 0.1;
  double imaginary = 2.0;
  std::int64_t levels = 4;
  std::int64_t iterations = 60;
  bool remainder = true;
  PriorConfig prior;
  template <class V>
  void fields(V& v) {
    v("method", method,
      "zero-filled; cg-sense: least squares; wavelet-sense: sparse wavelets; plug-and-play: the prior as denoiser from "
      "wavelet-sense on; red-diff: the prior as regulariser, of an image whose phase is that of its low frequencies");
    v("maps", maps, "coil sensitivities: espirit, or low-resolution");
    v("calibration", calibration, "largest side of the fully sampled square in the middle that is used, samples");
    v("kernel", kernel, "espirit: side of the kernels, samples");
    v("crop", crop, "espirit: no image where the eigenvalue is lower; 0 to 1");
    v("cg_iterations", cg_iterations, "cg-sense: most iterations");
    v("cg_weight", cg_weight, "cg-sense: weight of the squared image beside the misfit");
    v("threshold", threshold, "wavelet-sense: what wavelets are shrunk by, in deviations of a sample's noise");
    v("imaginary", imaginary, "how much more the part out of phase with the low frequencies is shrunk");
    v("levels", levels, "wavelet-sense: levels of the transform");
    v("iterations", iterations, "wavelet-sense: iterations");
    v("remainder", remainder,
      "add to the magnitude what the coil maps do not explain, as a root sum of squares: nothing measured is hidden");
    v("prior", prior, "plug-and-play and red-diff");
  }
  /// @throws Error{kUsage}
  void validate() const;
  bool needs_prior() const { return method == "plug-and-play" || method == "red-diff"; }
};

struct KspaceImage {
  at::Tensor magnitude;          ///< [H,W] float32, in units of a coil image
  at::Tensor prediction;         ///< [coils,H,W] complex64, the whole spectrum as the image has it
  double noise = 0;              ///< estimated deviation of a sample
  double misfit = 0;             ///< |y - H x|^2 / |y|^2
  std::int64_t calibration = 0;  ///< side of the square that the maps were estimated from
};

/// Reconstructs one slice.
/// @param y      [coils,H,W] complex64, low frequencies in the middle; 0 where nothing was measured
/// @param mask   [H,W] float32, 1 where measured
/// @param prior  may be null where config.needs_prior() is false
/// Draws: those of red-diff under the item.
/// @throws Error{kInput} where nothing is measured or the middle is not fully sampled, Error{kInterrupted}
KspaceImage reconstruct_kspace(const at::Tensor& y, const at::Tensor& mask, const KspaceConfig& config,
                               const PriorDenoiser* prior, NoiseSource& noise, const std::string& item,
                               const ProgressSink& progress);

/// The deviation of the complex noise of a sample: median |y| / sqrt(ln 2) over the outermost samples, where there is
/// hardly any signal. @param y, mask as for reconstruct_kspace
double sample_noise(const at::Tensor& y, const at::Tensor& mask);

/// Side of the largest square in the middle, at most `most`, of which at least 98 % are sampled.
std::int64_t calibration_side(const at::Tensor& mask, std::int64_t most);

}  // namespace reseda::medical
