#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>

#include "modules/nn/plain_layers.hpp"
#include "modules/nn/residual_block.hpp"

namespace reseda::nn {

/// Heads of attention over the pixels of a map.
struct AttentionHeads {
  std::int64_t count = 4;
  std::int64_t width = 32;
};

/// Attention over all N = H W pixels of a map. Both forms are float32 in every compute type and hold no N x N matrix.
class PixelAttention : public torch::nn::Module {
 public:
  /// @param x      [B,C,H,W]
  /// @param probe  sees the parts by their names in the state dictionary
  /// @return       same shape, float32
  virtual at::Tensor forward(const at::Tensor& x, const Probe& probe = {}) const = 0;
};

/// Attention linear in N: with q, k, v = to_qkv(x) per head, softmax of q over its features and of k over the pixels,
///   context[d,e] = sum_n k[n,d] v[n,e] / N,   out[n,e] = sum_d q[n,d] context[d,e] / sqrt(width),
/// then a 1x1 convolution and ChannelNorm. Names: to_qkv.weight, to_out.0.{weight,bias}, to_out.1.g.
/// Source: Shen et al. 2021, "Efficient Attention: Attention with Linear Complexities".
class LinearAttention : public PixelAttention {
 public:
  explicit LinearAttention(std::int64_t channels, AttentionHeads heads = {});
  at::Tensor forward(const at::Tensor& x, const Probe& probe = {}) const override;

 private:
  AttentionHeads heads_;
  std::shared_ptr<PlainConv2d> to_qkv_, to_out_;
  std::shared_ptr<ChannelNorm> norm_;
};

/// softmax(q k^T / sqrt(width)) v per head, then a 1x1 convolution. Names: to_qkv.weight, to_out.{weight,bias}.
/// Source: Vaswani et al. 2017, "Attention Is All You Need".
class FullAttention : public PixelAttention {
 public:
  explicit FullAttention(std::int64_t channels, AttentionHeads heads = {});
  at::Tensor forward(const at::Tensor& x, const Probe& probe = {}) const override;

 private:
  AttentionHeads heads_;
  std::shared_ptr<PlainConv2d> to_qkv_, to_out_;
};

/// x + attention(ChannelNorm(x)). Names: fn.fn.* (the attention), fn.norm.g.
class ResidualAttention : public torch::nn::Module {
 public:
  ResidualAttention(std::int64_t channels, std::shared_ptr<PixelAttention> attention);
  /// @param x  [B,C,H,W]   @return same shape and type
  at::Tensor forward(const at::Tensor& x, const Probe& probe = {}) const;

 private:
  std::shared_ptr<PixelAttention> attention_;
  std::shared_ptr<ChannelNorm> norm_;
};

/// The probe for a part: it hears "prefix.name" where the part says "name". Empty where the probe is.
Probe under(const Probe& probe, const std::string& prefix);

}  // namespace reseda::nn
