#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "modules/nn/adm_block.hpp"
#include "modules/nn/plain_layers.hpp"
#include "modules/nn/residual_block.hpp"
#include "modules/nn/swin_window.hpp"

namespace reseda::nn {

/// How a block attends within windows.
struct WindowOptions {
  std::int64_t heads = 6;
  std::int64_t side = 8;   ///< of a window, in pixels
  std::int64_t shift = 0;  ///< by which the map is moved up and left before it is cut
  WindowMask mask = WindowMask::kResshift;
  bool external_qkv = false;  ///< the attention is given [q, k, v], and has no layer of its own to make them
};

/// Attention of several heads among the pixels of a window,
///   out = proj(softmax(q k^T / sqrt(C / heads) + bias + m) v),   [q, k, v] = qkv(x),   m = 0 or -100 by the mask,
/// where `bias` is read from a table by the offset of two pixels. Scores and softmax are float32.
/// Names: relative_position_bias_table [(2 side - 1)^2,heads], qkv.*, proj.*; official buffers are made anew.
/// Source: Liu et al. 2021, "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", 3.2. Official:
/// zsyOAOA/ResShift, models/swin_transformer.py, WindowAttention. Quirk: -100 where -infinity is meant.
class WindowAttention : public torch::nn::Module {
 public:
  /// @throws Error{kUsage} unless the heads divide the channels
  WindowAttention(std::int64_t channels, const WindowOptions& options);
  /// @param windows  [B,R,Q,side^2,C], R x Q windows of a map that was moved by the shift; 3C where qkv is external
  /// @return         [B,R,Q,side^2,C], same type
  at::Tensor forward(const at::Tensor& windows) const;

 private:
  at::Tensor bias_of(WindowPlace place) const;
  at::Tensor attend(const at::Tensor& qkv, const at::Tensor& bias) const;

  WindowOptions options_;
  at::Tensor bias_table_;
  std::shared_ptr<PlainLinear> qkv_, proj_;
};

/// Swin block on maps: attention within the windows of the moved map (moved back afterwards), then two layers on every
/// pixel,
///   x = x + attn(norm1(x)),   x = x + mlp.fc2(gelu(mlp.fc1(norm2(x)))).
/// Quirk: the norms are of groups over the whole map, not of the channels of a pixel.
/// Source and official file: as WindowAttention; SwinTransformerBlock.
class SwinBlock : public torch::nn::Module {
 public:
  /// @param mlp_ratio  channels inside the second part as a multiple of `channels`, rounded down
  /// @throws Error{kUsage} unless the heads and 32 divide the channels
  SwinBlock(std::int64_t channels, double mlp_ratio, const WindowOptions& options);
  /// @param x      [B,C,H,W], H and W multiples of the side of a window
  /// @param probe  sees `windows` (what the attention takes) and `attn` (what it returns), [B,R,Q,side^2,C]
  /// @return       same shape   @throws Error{kInternal} for other sizes
  at::Tensor forward(const at::Tensor& x, const Probe& probe = {}) const;

 private:
  WindowOptions options_;
  std::shared_ptr<PlainGroupNorm> norm1_, norm2_;
  std::shared_ptr<WindowAttention> attn_;
  std::shared_ptr<PlainConv2d> fc1_, fc2_;
};

struct SwinLayerOptions {
  std::int64_t channels = 192;  ///< inside
  std::int64_t heads = 6;
  std::int64_t depth = 2;   ///< blocks
  std::int64_t window = 8;  ///< side of a window, in pixels
  double mlp_ratio = 4;
  std::int64_t nominal = 64;  ///< side of the map in training; where it is at most `window` no block is moved
  bool patch_norm = false;    ///< whether the two outer convolutions are normalised
  WindowMask mask = WindowMask::kResshift;
};

/// Swin blocks between two 1x1 convolutions,  out = patch_unembed.proj(blocks(patch_embed.proj(x))):  every second
/// block is moved by half a window. Quirk: there is no path around it, so that it replaces the map; `nominal` decides
/// whether blocks are moved, whatever the size of x. Names: patch_embed.proj,
/// blocks.i.{norm1,attn,norm2,mlp.fc1,mlp.fc2}, patch_unembed.proj. Source and official file: as WindowAttention;
/// BasicLayer.
class SwinLayer : public AdmLayer {
 public:
  /// @throws Error{kUsage} unless heads and 32 divide the channels inside
  SwinLayer(std::int64_t channels, const SwinLayerOptions& options);
  /// @return shape and type of x
  at::Tensor forward(const at::Tensor& x, const at::Tensor& silu_temb) const override;

  /// Side of the windows of a layer: `window`, or `nominal` where that is smaller.
  static std::int64_t side(std::int64_t window, std::int64_t nominal);

 private:
  std::shared_ptr<PlainConv2d> embed_, unembed_;
  std::shared_ptr<PlainGroupNorm> embed_norm_, unembed_norm_;
  std::vector<std::shared_ptr<SwinBlock>> blocks_;
};

}  // namespace reseda::nn
