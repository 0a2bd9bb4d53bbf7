#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>

namespace reseda::nn {

/// Random Fourier features of a scalar:  p = ((x W) 2) pi,  [sin p, cos p].
/// `W` [size] is drawn from N(0, scale^2), is a parameter, and is never trained. The arguments reach thousands of
/// radians, so float32 products in just this order are part of what a trained network has learnt.
/// Source: Tancik et al. 2020, "Fourier Features Let Networks Learn High Frequency Functions in Low Dimensional
/// Domains".
class FourierFeatures : public torch::nn::Module {
 public:
  FourierFeatures(std::int64_t size, double scale);
  /// @param x  [B] float32   @return [B, 2 size]
  at::Tensor forward(const at::Tensor& x) const;

  at::Tensor W;
};

}  // namespace reseda::nn
