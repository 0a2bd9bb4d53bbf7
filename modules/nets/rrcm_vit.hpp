#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "modules/nets/network_module.hpp"
#include "modules/nn/batch_norm.hpp"
#include "modules/nn/plain_layers.hpp"
#include "modules/nn/residual_block.hpp"

namespace reseda::nets {

/// Settings of rRCM's transformer, by their official names where there is one.
struct RrcmVitConfig {
  std::int64_t image_size = 224;
  std::int64_t patch_size = 16;
  std::int64_t in_channels = 3;
  std::int64_t embed_dim = 768;
  std::int64_t hidden_dim = 4096;
  std::int64_t output_dim = 256;
  std::int64_t depth = 12;
  std::int64_t num_heads = 12;
  double mlp_ratio = 4.0;
  bool qkv_bias = false;
  std::int64_t classes = 0;
  bool layernorm = true;

  template <class V>
  void fields(V& v) {
    v("image_size", image_size, "height and width of the images");
    v("patch_size", patch_size, "height and width of a token's patch");
    v("in_channels", in_channels, "channels of the images");
    v("embed_dim", embed_dim, "width of the tokens");
    v("hidden_dim", hidden_dim, "width inside the projector");
    v("output_dim", output_dim, "width of what the projector makes");
    v("depth", depth, "transformer blocks");
    v("num_heads", num_heads, "attention heads");
    v("mlp_ratio", mlp_ratio, "width inside a block's perceptron by that of the tokens");
    v("qkv_bias", qkv_bias, "whether queries, keys and values have a bias; no official model's have");
    v("classes", classes, "classes of the fine-tuned classifier; 0 for the encoder with its projector alone");
    v("layernorm", layernorm, "whether the classifier sees the class token after the final norm; no file says so");
  }
  /// @throws Error{kUsage} naming the key, what it may be, and its value
  void validate() const;
};

/// What rRCM's encoder says of noisy images.
struct RrcmFeatures {
  at::Tensor token;           ///< the class token as the last block leaves it, [B,embed_dim]
  at::Tensor representation;  ///< the same after the final norm
};

/// A block before whose two branches the tokens are normalised: x += attn(norm1(x)), x += mlp(norm2(x)); heads of
/// embed_dim / num_heads, softmax(q k^T / sqrt(head)) v, exact GELU.
/// Source: Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words".
class RrcmBlock : public torch::nn::Module {
 public:
  explicit RrcmBlock(const RrcmVitConfig& config);
  /// @param x  [B,N,embed_dim]   @param probe  sees attn and mlp, the branches
  at::Tensor forward(at::Tensor x, const nn::Probe& probe) const;

 private:
  at::Tensor attend(const at::Tensor& x) const;

  std::int64_t heads_;
  std::shared_ptr<nn::PlainLayerNorm> norm1_, norm2_;
  at::Tensor qkv_weight_, qkv_bias_;
  std::shared_ptr<nn::PlainLinear> proj_, fc1_, fc2_;
};

/// The transformer of rRCM on noisy images at a known noise: tokens [class, time, patches], each with a learned place,
/// where the time token is cosine_first_embedding(t); blocks; final norm. Pre-training projects the representation by
/// three linear layers without bias, of which batch normalisation and ReLU follow the first two; a classifier puts a
/// linear layer on the class token.
/// Names are those of official files: bare (`nnet.pth`) without classes, `base_model.` and `linear_head.` with them. It
/// begins in evaluation mode, which the projector's batch normalisation looks at.
/// Source: Lei et al. 2025, "Robust Representation Consistency Model via Contrastive Denoising". Official:
/// jiachenlei/rRCM, rrcm/vit.py (rRCMViT); rrcm_tune.py.
class RrcmVit final : public NetworkModule {
 public:
  /// @throws Error{kUsage} as the config's validate()
  explicit RrcmVit(const RrcmVitConfig& config);

  /// Logits [B,classes]; without classes the projection, as project(features(x, t).representation).
  /// @param x  [B,in_channels,image_size,image_size], scaled as the process says   @param y  not looked at
  /// @param t  [B] float32, any real time
  /// @throws Error{kUsage} on other sizes
  at::Tensor forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) override;

  RrcmFeatures features(const at::Tensor& x, const at::Tensor& t) const;
  /// [B,embed_dim] -> [B,output_dim]
  at::Tensor project(const at::Tensor& representation) const;
  /// The classifier's logits of features(). @throws Error{kUsage} without classes
  at::Tensor classify(const RrcmFeatures& features) const;

  /// Lets a test see the parts by their names in the state dictionary.
  void set_probe(nn::Probe probe) { probe_ = std::move(probe); }

 private:
  void build_projector(torch::nn::Module& encoder);
  at::Tensor tokens(const at::Tensor& x, const at::Tensor& t) const;
  at::Tensor seen(const std::string& name, at::Tensor value) const;

  RrcmVitConfig config_;
  nn::Probe probe_;
  at::Tensor cls_token_, pos_embed_;
  std::shared_ptr<nn::PlainConv2d> patches_;
  std::vector<std::shared_ptr<RrcmBlock>> blocks_;
  std::shared_ptr<nn::PlainLayerNorm> norm_;
  std::vector<at::Tensor> projections_;  // weights of the linear layers
  std::vector<std::shared_ptr<nn::BatchNorm>> projector_norms_;
  std::shared_ptr<nn::PlainLinear> head_;
};

}  // namespace reseda::nets
