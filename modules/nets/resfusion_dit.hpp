#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "modules/nets/network_module.hpp"
#include "modules/nn/plain_layers.hpp"
#include "modules/nn/residual_block.hpp"

namespace reseda::nets {

/// Settings of Resfusion's transformer, by their official names where there is one. The official sizes, depth x
/// hidden_size, num_heads: S 12 x 384, 6; B 12 x 768, 12; L 24 x 1024, 16; XL 28 x 1152, 16; patch_size 2, 4 or 8.
struct ResfusionDitConfig {
  std::int64_t input_size = 256;
  std::int64_t patch_size = 8;
  std::int64_t hidden_size = 384;
  std::int64_t depth = 12;
  std::int64_t num_heads = 6;
  double mlp_ratio = 4.0;
  std::int64_t channels = 3;
  std::int64_t condition_channels = 3;

  template <class V>
  void fields(V& v) {
    v("input_size", input_size, "height and width of every image");
    v("patch_size", patch_size, "height and width of the patch that becomes one token");
    v("hidden_size", hidden_size, "features of a token");
    v("depth", depth, "transformer blocks");
    v("num_heads", num_heads, "attention heads");
    v("mlp_ratio", mlp_ratio, "hidden features of the feed-forward layers as a multiple of hidden_size");
    v("channels", channels, "channels of the state and of the prediction");
    v("condition_channels", condition_channels, "channels of what conditions it, a mask included; 0 ignores it");
  }
  /// @throws Error{kUsage} naming the key, what it may be, and its value
  void validate() const;
};

/// One block of the transformer. With [shift, scale, gate] twice from adaLN_modulation.1(silu(c)) and LN a layer
/// normalisation without parameters, eps 1e-6:
///   x = x + gate1 attn(LN(x) (1 + scale1) + shift1),   x = x + gate2 mlp(LN(x) (1 + scale2) + shift2),
///   mlp = fc2(gelu(fc1)), gelu by its approximation with tanh.
/// Attention is float32 in every compute type. The gates start at 0.
class DitBlock : public torch::nn::Module {
 public:
  explicit DitBlock(const ResfusionDitConfig& config);
  /// @param x  tokens, [B,N,hidden_size]   @param silu_c  [B,hidden_size] float32   @return as x
  at::Tensor forward(at::Tensor x, const at::Tensor& silu_c, const nn::Probe& probe) const;

 private:
  at::Tensor attend(const at::Tensor& x) const;

  std::int64_t heads_;
  std::shared_ptr<nn::PlainLinear> qkv_, proj_, fc1_, fc2_, modulation_;
};

/// The transformer of Resfusion: patches of [x, condition] become tokens with a fixed table of positions, the time
/// modulates every block. It takes square images of input_size alone.
/// Source: Peebles & Xie 2023, "Scalable Diffusion Models with Transformers". Official: nkicsl/Resfusion,
/// model/denoising_module/DiT.py.
class ResfusionDit : public NetworkModule {
 public:
  /// @throws Error{kUsage} as the config's validate()
  explicit ResfusionDit(const ResfusionDitConfig& config);

  /// @param x  [B,channels,input_size,input_size]
  /// @param y  [B,condition_channels,input_size,input_size]; not looked at where these are 0
  /// @param t  [B] float32
  /// @return   shape of x, float32
  /// @throws Error{kUsage} where channels or size do not fit the config, Error{kInternal} on other shapes
  at::Tensor forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) override;
  std::int64_t time_multiple() const override { return config_.input_size; }

  /// Lets a test see the parts by their names in the state dictionary.
  void set_probe(nn::Probe probe) { probe_ = std::move(probe); }

 private:
  at::Tensor seen(const std::string& name, at::Tensor value) const;
  at::Tensor embed(const at::Tensor& t) const;
  at::Tensor head(const at::Tensor& tokens, const at::Tensor& silu_c) const;
  at::Tensor unpatched(const at::Tensor& tokens) const;

  ResfusionDitConfig config_;
  nn::Probe probe_;
  std::shared_ptr<nn::PlainConv2d> patches_;
  std::shared_ptr<nn::PlainLinear> embed0_, embed1_, modulation_, linear_;
  at::Tensor pos_embed_;
  std::vector<std::shared_ptr<DitBlock>> blocks_;
};

/// Sines and cosines of the positions of a square grid, [1,side^2,size] float32, row by row: a half of the features for
/// the column, then a half for the row, each [sin(p f_i), cos(p f_i)] with f_i = 10000^(-4 i / size).
at::Tensor grid_positions(std::int64_t size, std::int64_t side);

}  // namespace reseda::nets
