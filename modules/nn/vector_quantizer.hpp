#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>

namespace reseda::nn {

/// Latents replaced by their nearest codes.
struct Quantised {
  at::Tensor z;        ///< [B,D,H,W]
  at::Tensor indices;  ///< [B,H,W] int64
};

/// A table of codes, `embedding.weight` [n,D], and the nearest one to every latent pixel:
///   index = argmin_i |z - e_i|^2,  the first of equals,   result z + (e_index - z).
/// The gradient passes straight through to z. Distances are |z|^2 + |e|^2 - 2 z e in float32, for so many pixels at a
/// time that they take 4 MB.
/// Source: van den Oord et al. 2017, "Neural Discrete Representation Learning". Official: zsyOAOA/ResShift,
/// ldm/modules/vqvae/quantize.py, VectorQuantizer2.
class VectorQuantizer : public torch::nn::Module {
 public:
  VectorQuantizer(std::int64_t codes, std::int64_t channels);
  /// @param z  [B,D,H,W] float32
  Quantised forward(const at::Tensor& z) const;
  /// The codes of these indices. @param indices  [B,H,W] int64 in [0, n)   @return [B,D,H,W]
  at::Tensor codes(const at::Tensor& indices) const;

 private:
  at::Tensor nearest(const at::Tensor& pixels) const;

  at::Tensor table_;
};

}  // namespace reseda::nn
