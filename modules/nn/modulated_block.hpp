#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>

#include "modules/nn/plain_layers.hpp"
#include "modules/nn/residual_block.hpp"

namespace reseda::nn {

/// silu(norm(proj(x)) (1 + scale) + shift): a standardised 3x3 convolution and a group normalisation. Names:
/// proj.{weight,bias}, norm.{weight,bias}.
class ModulatedConv : public torch::nn::Module {
 public:
  /// @throws Error{kUsage} unless the groups divide `out`
  ModulatedConv(std::int64_t in, std::int64_t out, std::int64_t groups);
  /// @param x      [B,in,H,W]
  /// @param scale  [B,out], undefined for neither scale nor shift   @param shift  [B,out]
  /// @return       [B,out,H,W]
  at::Tensor forward(const at::Tensor& x, const at::Tensor& scale = {}, const at::Tensor& shift = {},
                     const Probe& probe = {}) const;

 private:
  std::shared_ptr<StandardizedConv2d> proj_;
  std::shared_ptr<PlainGroupNorm> norm_;
};

/// Residual block that a time embedding modulates:
///   [scale, shift] = mlp.1(silu(temb)),   h = block2(block1(x, scale, shift)),
///   out = h + S(x),   S = res_conv (1x1) where the channels change, else identity.
/// Names: mlp.1.{weight,bias}, block1.*, block2.*, res_conv.{weight,bias}.
/// Source: Nichol & Dhariwal 2021, "Improved Denoising Diffusion Probabilistic Models".
class ModulatedBlock : public torch::nn::Module {
 public:
  /// @param embedding  width of the time embedding; 0 for a block without one
  ModulatedBlock(std::int64_t in, std::int64_t out, std::int64_t embedding, std::int64_t groups);
  /// @param x          [B,in,H,W]
  /// @param silu_temb  silu of the time embedding, [B,embedding] float32; undefined for a block without one
  /// @param probe      sees mlp, block1.proj, block1.norm, block1, block2.*, res_conv
  /// @return           [B,out,H,W]
  at::Tensor forward(const at::Tensor& x, const at::Tensor& silu_temb, const Probe& probe = {}) const;

 private:
  std::shared_ptr<PlainLinear> mlp_;  // null without an embedding
  std::shared_ptr<ModulatedConv> block1_, block2_;
  std::shared_ptr<PlainConv2d> res_conv_;  // null where the channels stay
};

}  // namespace reseda::nn
