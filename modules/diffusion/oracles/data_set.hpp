#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "modules/diffusion/denoiser.hpp"
#include "modules/diffusion/oracles/wiener.hpp"

namespace reseda::diffusion {

/// What decides which images explain a pixel.
enum class Locality {
  kNone,   ///< all pixels of the image: the exact posterior mean over the set, which only ever returns its images
  kPixel,  ///< the pixel alone: the exact posterior of independent pixels
  kPca     ///< the pixels that the Wiener denoiser of the set looks at: a prior that composes new images
};

struct DataSetConfig {
  Locality locality = Locality::kNone;
  double threshold = 0.02;   ///< kPca: share of the largest sensitivity above which a pixel counts, in (0, 1]
  double temperature = 1.0;  ///< > 0; divides the log-likelihoods
  std::int64_t chunk = 256;  ///< images compared at a time; the result does not depend on it
};

/// Denoisers that average a finite set of clean images x^k, on any bridge. For pixel i, with e = x - b y:
///   d_ki = sum_j M_ji (e - a x^k)_j^2,   x0_i = sum_k softmax_k(-d_ki / (2 c^2 temperature)) x^k_i,
///   eps = (e - a x0) / c, 0 where c = 0
/// M is all ones (kNone), the identity (kPixel), or 1 where |W_ij / W_ii| >= threshold * the largest such, W the Wiener
/// matrix of the set at this time (kPca; W_ii is taken as 1 where it is below 1e-6). The softmax runs over the whole
/// set by a running maximum, in float64. kPca forms n x n matrices: n = C H W of some thousands. Source: Lukoianov et
/// al. 2025, "Locality in Image Diffusion Models Emerges from Data Statistics", Sec. 4. Official:
/// ottogin/locality-in-diffusion-models, src/local_diffusion/models/{optimal,pca_locality}.py, which average the
/// softmaxes of separate batches.
class DataSetDenoiser final : public Denoiser {
 public:
  /// @param images  [N, C, H, W], N >= 1 (2 for kPca), real. @throws Error{kUsage}
  DataSetDenoiser(const at::Tensor& images, DataSetConfig config, const Process& process);
  /// @param x  [B, C, H, W] of the images' shape; coefficients of one value per image. @throws Error{kUsage}
  Estimates operator()(const at::Tensor& x, double t, const Condition& condition) const override;
  /// The mask of kPca at this signal and noise, [n, n], M_ji in row j and column i.
  at::Tensor mask(double a, double c) const;

 private:
  at::Tensor distances(const at::Tensor& squares, const at::Tensor& mask) const;
  at::Tensor average(const at::Tensor& error, const at::Tensor& a, const at::Tensor& scale,
                     const at::Tensor& mask) const;

  DataSetConfig config_;
  const Process& process_;
  std::vector<std::int64_t> shape_;
  at::Tensor images_;  // [N, n] float64
  ImageStatistics statistics_;
};

}  // namespace reseda::diffusion
