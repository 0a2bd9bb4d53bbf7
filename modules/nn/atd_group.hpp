#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "modules/nn/atd_attention.hpp"
#include "modules/nn/plain_layers.hpp"
#include "modules/nn/residual_block.hpp"
#include "modules/nn/swin_layer.hpp"

namespace reseda::nn {

/// Sizes of the layers of a super-resolution transformer with an adaptive token dictionary.
struct AtdOptions {
  std::int64_t channels = 96;
  std::int64_t heads = 4;
  std::int64_t depth = 6;            ///< layers of a group
  std::int64_t window = 16;          ///< side of a window, in pixels; every second layer is moved by half of it
  std::int64_t category_size = 128;  ///< pixels of a group that attend to each other
  std::int64_t tokens = 64;          ///< of the dictionary
  std::int64_t reduced = 8;          ///< features by which pixels and tokens are compared
  std::int64_t kernel = 7;           ///< of the depthwise convolution
  double mlp_ratio = 1;
};

/// Two layers on every pixel with a depthwise convolution between, where h = gelu(fc1(x)):
///   fc2(h + gelu(dwconv(h))).   Names: fc1.*, dwconv.depthwise_conv.0.*, fc2.*
class ConvFeedForward : public torch::nn::Module {
 public:
  ConvFeedForward(std::int64_t channels, std::int64_t inside, std::int64_t kernel);
  /// @param x  tokens of a map of this height, [B,N,C]   @return same shape
  at::Tensor forward(const at::Tensor& x, std::int64_t height) const;

 private:
  std::shared_ptr<PlainLinear> fc1_, fc2_;
  std::shared_ptr<PlainConv2d> depthwise_;
};

/// One layer: three attentions side by side, then a feed-forward part,
///   x = x + (windows + categories + dictionary) / sqrt(3),   x = x + convffn(norm2(x))
/// and, but in a group's last layer, the dictionary for the next one with m = softmax_n(norm3(S^T)), s =
/// sigmoid(sigma):
///   td = s td + (1 - s) m x
/// Names: norm1, norm2, [norm3, sigma,] wqkv, attn_win, attn_atd, attn_aca, convffn.
/// Source and official file: as TokenDictionaryAttention; ATDTransformerLayer.
class AtdLayer : public torch::nn::Module {
 public:
  /// @param index  place in its group, from 0
  AtdLayer(const AtdOptions& options, std::int64_t index);
  /// @param x           tokens of a map of this height, [B,N,C]
  /// @param dictionary  [B,M,C]; replaced by the refined one
  /// @param probe       sees attn_atd and attn_aca
  at::Tensor forward(at::Tensor x, std::int64_t height, at::Tensor& dictionary, const Probe& probe) const;

 private:
  at::Tensor attend_windows(const at::Tensor& qkv, std::int64_t height) const;

  std::int64_t window_, shift_;
  std::shared_ptr<PlainLayerNorm> norm1_, norm2_;
  std::shared_ptr<PlainGroupNorm> norm3_;
  at::Tensor sigma_;
  std::shared_ptr<PlainLinear> wqkv_;
  std::shared_ptr<WindowAttention> windows_;
  std::shared_ptr<TokenDictionaryAttention> dictionary_;
  std::shared_ptr<CategoryAttention> categories_;
  std::shared_ptr<ConvFeedForward> feed_forward_;
};

/// A group of layers with a dictionary of their own, of whose tokens each layer is given the unit vectors:
///   out = x + patch_embed.norm(conv(layers(x))).   Names: residual_group.td, residual_group.layers.i, conv,
///   patch_embed
/// Source and official file: as TokenDictionaryAttention; BasicBlock, ATDB.
class AtdGroup : public torch::nn::Module {
 public:
  explicit AtdGroup(const AtdOptions& options);
  /// @param x  tokens of a map of this height, [B,N,C]   @return same shape
  at::Tensor forward(const at::Tensor& x, std::int64_t height, const Probe& probe) const;

 private:
  at::Tensor dictionary_;
  std::vector<std::shared_ptr<AtdLayer>> layers_;
  std::shared_ptr<PlainConv2d> conv_;
  std::shared_ptr<PlainLayerNorm> norm_;
};

}  // namespace reseda::nn
