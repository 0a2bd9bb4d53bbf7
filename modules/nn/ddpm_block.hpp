#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>

#include "modules/nn/plain_layers.hpp"
#include "modules/nn/residual_block.hpp"

namespace reseda::nn {

/// Residual block of DDPM's U-Net:
///   h = conv1(silu(norm1(x))) + temb_proj(silu(temb)),   h = conv2(silu(norm2(h))),
///   out = S(x) + h,   S = nin_shortcut (1x1) where the channels change, else identity.
/// Group normalisation in 32 groups, eps 1e-6. Dropout, which the official network has in training, is left out.
/// Source: Ho et al. 2020, "Denoising Diffusion Probabilistic Models", appendix B.
class DdpmBlock : public torch::nn::Module {
 public:
  /// @param embedding  width of the time embedding; 0 for a block without one
  /// @throws Error{kUsage} unless 32 divides `in` and `out`
  DdpmBlock(std::int64_t in, std::int64_t out, std::int64_t embedding);
  /// @param x          [B,in,H,W]
  /// @param silu_temb  silu of the time embedding, [B,embedding] float32; undefined for a block without one
  /// @return           [B,out,H,W]
  at::Tensor forward(const at::Tensor& x, const at::Tensor& silu_temb, const Probe& probe = {}) const;

 private:
  std::shared_ptr<PlainGroupNorm> norm1_, norm2_;
  std::shared_ptr<PlainConv2d> conv1_, conv2_, nin_shortcut_;
  std::shared_ptr<PlainLinear> temb_proj_;
};

/// Self-attention of one head over all pixels:  h = norm(x),  out = x + proj_out(softmax(q(h) k(h)^T / sqrt(C)) v(h)).
/// float32 in every compute type; the softmax over H W keys never stands in memory.
/// Source: as DdpmBlock.
class DdpmAttention : public torch::nn::Module {
 public:
  explicit DdpmAttention(std::int64_t channels);
  /// @param x  [B,C,H,W]   @return same shape and type
  at::Tensor forward(const at::Tensor& x, const Probe& probe = {}) const;

 private:
  std::shared_ptr<PlainGroupNorm> norm_;
  std::shared_ptr<PlainConv2d> q_, k_, v_, proj_out_;
};

/// Halves height and width, both even: one row and column of zeros after the last, then a 3x3 convolution of stride 2.
class DdpmDownsample : public torch::nn::Module {
 public:
  explicit DdpmDownsample(std::int64_t channels);
  /// @param x  [B,C,H,W]   @return [B,C,H/2,W/2]
  at::Tensor forward(const at::Tensor& x) const;

 private:
  std::shared_ptr<PlainConv2d> conv_;
};

/// Doubles height and width: every pixel four times, then a 3x3 convolution.
class DdpmUpsample : public torch::nn::Module {
 public:
  explicit DdpmUpsample(std::int64_t channels);
  /// @param x  [B,C,H,W]   @return [B,C,2H,2W]
  at::Tensor forward(const at::Tensor& x) const;

 private:
  std::shared_ptr<PlainConv2d> conv_;
};

/// [B,C,H,W] with every pixel four times, [B,C,2H,2W].
at::Tensor repeat_pixels(const at::Tensor& x);

}  // namespace reseda::nn
