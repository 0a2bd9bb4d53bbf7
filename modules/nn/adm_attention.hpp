#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>

#include "modules/nn/adm_block.hpp"
#include "modules/nn/plain_layers.hpp"

namespace reseda::nn {

/// A 1x1 convolution whose weight has one axis of taps, [out,in,1]: `weight`, `bias` [out]; at first as PlainConv2d.
class PointwiseConv1d : public torch::nn::Module {
 public:
  PointwiseConv1d(std::int64_t in, std::int64_t out);
  /// @param tokens  [...,in]   @return [...,out]
  at::Tensor of_tokens(const at::Tensor& tokens) const;

  at::Tensor weight, bias;
};

/// How the channels of `qkv` are read.
enum class QkvOrder {
  kHeadsFirst,  ///< legacy: [head 0: q, k, v; head 1: q, k, v; ...]; every released model but that for 64x64
  kPartsFirst   ///< new: [q of all heads, k of all heads, v of all heads]
};

/// Self-attention of several heads over all pixels:  out = x + proj_out(softmax(q k^T / sqrt(C / heads)) v) with
/// [q, k, v] = qkv(norm(x)). Scores and softmax are float32 and never stand in memory; proj_out starts at 0.
/// Source and official file: as AdmBlock; AttentionBlock.
class AdmAttention : public AdmLayer {
 public:
  /// @throws Error{kUsage} unless `heads` divides the channels and 32 does
  AdmAttention(std::int64_t channels, std::int64_t heads, QkvOrder order);
  /// @return shape and type of x
  at::Tensor forward(const at::Tensor& x, const at::Tensor& silu_temb) const override;

 private:
  std::int64_t heads_;
  QkvOrder order_;
  std::shared_ptr<PlainGroupNorm> norm_;
  std::shared_ptr<PointwiseConv1d> qkv_, proj_out_;
};

/// What a map says in one vector: its mean pixel, put before the others, attends to all,
///   tokens = [mean x, x_1, ..., x_N] + positional_embedding,   out = c_proj(attention(qkv_proj(tokens)))_0
/// with the channels of qkv_proj parts first.
/// Names: positional_embedding [C,N+1], qkv_proj.*, c_proj.*. Source and official file: as AdmBlock; AttentionPool2d.
class AdmAttentionPool : public torch::nn::Module {
 public:
  /// @param side  height and width of the map: N = side^2   @throws Error{kUsage} unless `heads` divides the channels
  AdmAttentionPool(std::int64_t side, std::int64_t channels, std::int64_t heads, std::int64_t out);
  /// @param x  [B,C,H,W] with H W = N   @return [B,out] float32   @throws Error{kUsage} for another number of pixels
  at::Tensor forward(const at::Tensor& x) const;

 private:
  std::int64_t heads_;
  at::Tensor positional_embedding_;
  std::shared_ptr<PointwiseConv1d> qkv_proj_, c_proj_;
};

}  // namespace reseda::nn
