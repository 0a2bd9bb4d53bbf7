#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "modules/diffusion/denoiser.hpp"

namespace reseda::diffusion {

/// Second-order statistics of a set of images: mean and the leading eigenpairs of the covariance; what the eigenpairs
/// leave of the variance is spread evenly over all directions.
struct ImageStatistics {
  at::Tensor mean;                  ///< [n] float64, n = C H W
  at::Tensor directions;            ///< [n, r] float64, orthonormal columns
  at::Tensor variances;             ///< [r] float64, falling, >= floor
  double tail = 0;                  ///< variance in every direction besides, >= floor
  std::vector<std::int64_t> shape;  ///< [C, H, W]
};

/// Mean and covariance sum (x - mean) (x - mean)^T / (N - 1) in float64 and two passes, then eigenpairs of the smaller
/// of X X^T and X^T X.
/// @param images  [N, C, H, W], N >= 2, real
/// @param rank    eigenpairs kept, at most; 0 keeps all
/// @param floor   smallest variance, > 0
/// @throws Error{kUsage} for fewer than two images, a negative rank or a floor that is not > 0
ImageStatistics image_statistics(const at::Tensor& images, std::int64_t rank = 0, double floor = 1e-8);

/// The best linear denoiser for images of these statistics, exact for Gaussian ones. With Sigma = U diag(l) U^T + tail,
/// e = x - b y - a mean, and for each direction v = a^2 l + c^2:
///   x0 = mean + a Sigma (a^2 Sigma + c^2 I)^{-1} e,   eps = c (a^2 Sigma + c^2 I)^{-1} e
/// by gains a l / v and c / v along the directions; no n x n matrix is formed. Where v vanishes: mean and 0.
/// The bridge's coefficients must not vary within an image. @throws Error{kUsage} if they do
/// Source: Lukoianov et al. 2025, "Locality in Image Diffusion Models Emerges from Data Statistics", Sec. 4; N. Wiener
/// 1949. Official: ottogin/locality-in-diffusion-models, src/local_diffusion/models/wiener.py.
class WienerDenoiser final : public Denoiser {
 public:
  WienerDenoiser(ImageStatistics statistics, const Process& process)
      : statistics_(std::move(statistics)), process_(process) {}
  /// @param x  [B, C, H, W] real, of the images' shape. @throws Error{kUsage} otherwise
  Estimates operator()(const at::Tensor& x, double t, const Condition& condition) const override;

 private:
  ImageStatistics statistics_;
  const Process& process_;
};

}  // namespace reseda::diffusion
