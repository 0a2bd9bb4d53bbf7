#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "modules/diffusion/sampler.hpp"

namespace reseda::inverse {

/// A denoiser whose calls leave no graph behind: going backwards, each is made once more with gradients and pulled back
/// at once. A sampler run through it under autograd is differentiated exactly, step by step from the last to the first
/// (the discrete adjoint), with the network's memory of a single call and one kept state per call. The inner denoiser
/// must give the same estimates twice.
/// Source: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"; as the gradient of a sampler: Pan et al.
/// 2024, "AdjointDPM", whose continuous adjoint is not the gradient of the steps that were taken.
class AdjointDenoiser final : public diffusion::Denoiser {
 public:
  explicit AdjointDenoiser(const diffusion::Denoiser& inner) : inner_(inner) {}
  diffusion::Estimates operator()(const at::Tensor& x, double t, const diffusion::Condition& condition) const override;

 private:
  const diffusion::Denoiser& inner_;
};

/// A sampler as a function of its start noise: x0(z), with what pulls gradients back to z.
class SampledImage {
 public:
  /// Runs the sampler; the process's prior takes z for its draw ("prior", 0). Other draws come from `noise` and are the
  /// same each time. Works in inference mode too.
  /// @param z  [B,C,H,W], N(0, 1) under the prior  @throws what the sampler throws
  SampledImage(const diffusion::Sampler& sampler, const diffusion::Process& process,
               const diffusion::Denoiser& denoiser, NoiseSource& noise, const std::string& item, const at::Tensor& z);
  /// x0(z), without a graph.
  const at::Tensor& image() const { return image_; }
  /// (d x0 / d z)^T v. Once per object.
  at::Tensor pull_back(const at::Tensor& v) const;

 private:
  AdjointDenoiser adjoint_;
  at::Tensor z_, traced_, image_;
};

}  // namespace reseda::inverse
