#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace reseda::metrics {

enum class SsimWindow {
  kGaussian,  ///< weights e^{-d^2 / (2 sigma^2)} along each axis, normalised to sum 1
  kUniform    ///< equal weights
};
enum class SsimCovariance {
  kPopulation,  ///< E[xy] - E[x] E[y] under the window's weights
  kSample       ///< the same times N / (N - 1), N = size^2, for either window
};

struct SsimConfig {
  SsimWindow window = SsimWindow::kGaussian;
  std::int64_t size = 11;  ///< pixels along each axis, odd, >= 3
  double sigma = 1.5;      ///< of the Gaussian, in pixels, > 0
  SsimCovariance covariance = SsimCovariance::kPopulation;
  double k1 = 0.01, k2 = 0.03;  ///< stabilise dark and flat places, >= 0
  bool clip_contrast = false;   ///< (2 sxy + C2) / (sxx + syy + C2) below 0, where both images run opposite, counts 0
};

/// The index as first published, and as most papers on images report it: 11 x 11 Gaussian, sigma 1.5, population
/// covariance. Equals scikit-image's structural_similarity(gaussian_weights=True, sigma=1.5,
/// use_sample_covariance=False). Source: Wang et al. 2004, "Image Quality Assessment: From Error Visibility to
/// Structural Similarity".
constexpr SsimConfig ssim_wang2004() { return {}; }

/// 7 x 7 uniform window, sample covariance: the defaults of scikit-image's structural_similarity, which fastMRI uses
/// (with the maximum of the volume as data range). Not comparable with ssim_wang2004().
constexpr SsimConfig ssim_uniform7() {
  return {.window = SsimWindow::kUniform, .size = 7, .covariance = SsimCovariance::kSample};
}

/// pyiqa's ssim, in which opposite structure counts as none. pyiqa takes colours as video_luma(., kNearest), and images
/// of any size as they are (its default does not reduce them).
/// Official: chaofengc/IQA-PyTorch pyiqa/archs/ssim_arch.py
constexpr SsimConfig ssim_pyiqa() { return {.clip_contrast = true}; }

/// Mean structural similarity of an estimate.
///   SSIM = mean of (2 mx my + C1)(2 sxy + C2) / ((mx^2 + my^2 + C1)(sxx + syy + C2)),  C1 = (k1 R)^2, C2 = (k2 R)^2
///   m: windowed means; s: windowed (co)variances; the mean runs over the positions where the whole window lies in the
///   image ("valid": nothing is padded), then over the images.
/// @param reference, estimate  [.., H, W], real; leading dimensions (slices, channels) are images of their own;
/// computed
///                             in float64
/// @param data_range  R, in units of the images
/// @return at most 1, for equal images 1; NaN if a value is NaN
/// @throws Error{kInput} on unlike, empty or complex images, images smaller than the window, or unless R is positive
///         and finite; Error{kUsage} on a bad config
double ssim(const at::Tensor& reference, const at::Tensor& estimate, double data_range,
            const SsimConfig& config = ssim_wang2004());

}  // namespace reseda::metrics
