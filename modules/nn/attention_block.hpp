#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <memory>

#include "modules/nn/layers.hpp"

namespace reseda::nn {

/// Self-attention of one head over all positions of a map, with a scaled residual:
///   h = GroupNorm_0(x),  q, k, v = NIN_0(h), NIN_1(h), NIN_2(h),
///   out = (x + NIN_3(softmax(q k^T / sqrt(C)) v)) / sqrt(2).
/// The softmax over H W keys never stands in memory; attention is float32 in every compute type.
/// Source: Ho et al. 2020, "Denoising Diffusion Probabilistic Models", appendix B.
class AttentionBlock : public torch::nn::Module {
 public:
  explicit AttentionBlock(std::int64_t channels);
  /// @param x  [B,C,H,W]   @return same shape
  at::Tensor forward(const at::Tensor& x) const;

 private:
  std::shared_ptr<GroupNorm> norm_;
  std::shared_ptr<Nin> query_, key_, value_, out_;
};

}  // namespace reseda::nn
