#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "modules/diffusion/denoiser.hpp"
#include "modules/diffusion/processes/ddpm.hpp"
#include "pipelines/certify/smoothed_classifier.hpp"

namespace reseda::certify {

/// The step of a diffusion whose noise is the smoothing's: the first i >= 1 with sqrt((1 - abar_i) / abar_i) >= 2
/// sigma, for the diffusion works on [-1, 1], where noise is twice as large.
/// @throws Error{kUsage} where no step is so noisy
/// Official: ethz-spylab/diffusion_denoised_smoothing, imagenet/certify.py, cifar10/certify.py. Quirk: step 0 is never
/// taken.
std::int64_t matching_step(const diffusion::Ddpm& process, double sigma);

/// Denoised smoothing: a classifier of clean images behind one estimate of a diffusion model. The noisy copy is
///   x_t = sqrt(abar) (2 x - 1) + sqrt(1 - abar) eps,   x0^ = clip(E[x0 | x_t]) to +-1,
/// the noise of which is 2 sigma' >= 2 sigma in units of x: radii by sigma are sound and slightly small.
/// Source: Carlini et al. 2023, "(Certified!!) Adversarial Robustness for Free!". Official: as above, DRM.py.
class DenoisedSmoothing {
 public:
  /// @param denoiser, process  outlive this   @param size  height and width that the classifier takes
  DenoisedSmoothing(const diffusion::Denoiser& denoiser, const diffusion::Ddpm& process, double sigma,
                    std::int64_t size);

  std::int64_t step() const { return step_; }
  /// x_t of an image [C,H,W] in [0, 1].
  Smoother smoother(NoiseSource& noise) const;
  /// The estimate of x0 in [-1, 1]. @param x_t  [B,C,H,W]
  at::Tensor denoised(const at::Tensor& x_t) const;
  /// The same enlarged to size x size by bicubic interpolation (a = -0.5, taps outside dropped), as the classifier is
  /// shown it.
  at::Tensor shown(const at::Tensor& x_t) const;

 private:
  double time() const { return static_cast<double>(step_ + 1) / static_cast<double>(process_.steps()); }

  const diffusion::Denoiser& denoiser_;
  const diffusion::Ddpm& process_;
  std::int64_t step_, size_;
};

}  // namespace reseda::certify
