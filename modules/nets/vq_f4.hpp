#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "modules/nets/network_module.hpp"
#include "modules/nn/plain_layers.hpp"
#include "modules/nn/residual_block.hpp"
#include "modules/nn/vector_quantizer.hpp"

namespace reseda::nets {

/// Settings of the autoencoder, by their official names. The defaults make a small one;
/// configs/infrared/autoencoder-vq-f4.yaml has those of the published one.
struct VqF4Config {
  std::int64_t embed_dim = 3;
  std::int64_t n_embed = 64;
  std::int64_t z_channels = 3;
  bool double_z = false;
  std::int64_t in_channels = 3;
  std::int64_t out_ch = 3;
  std::int64_t ch = 32;
  std::vector<std::int64_t> ch_mult = {1, 1, 2};
  std::int64_t num_res_blocks = 1;
  std::vector<std::int64_t> attn_resolutions = {};
  double dropout = 0;

  template <class V>
  void fields(V& v) {
    v("embed_dim", embed_dim, "channels of the latents and of a code");
    v("n_embed", n_embed, "codes");
    v("z_channels", z_channels, "channels between the convolutional parts and the 1x1 convolutions beside the codes");
    v("double_z", double_z, "must be false: latents have no variance");
    v("in_channels", in_channels, "channels of the image");
    v("out_ch", out_ch, "channels of the decoded image");
    v("ch", ch, "channels of the first level, of which the others are multiples");
    v("ch_mult", ch_mult, "channels of each level as multiples of ch");
    v("num_res_blocks", num_res_blocks, "residual blocks of each level of the encoder; the decoder has one more");
    v("attn_resolutions", attn_resolutions, "must be empty: attention stands in the middle alone");
    v("dropout", dropout, "share that the official network drops in training; without effect here");
  }
  /// @throws Error{kUsage} naming the key, what it may be, and its value
  void validate() const;

  std::size_t levels() const { return ch_mult.size(); }
  std::int64_t width(std::size_t level) const { return ch * ch_mult[level]; }
  /// By how much height and width of an image exceed those of its latents: 2^(levels - 1).
  std::int64_t factor() const { return std::int64_t{1} << (levels() - 1); }
};

class VqEncoder;
class VqDecoder;

/// Whether the decoder takes the nearest codes or the latents themselves.
enum class Latents { kQuantised, kAsTheyAre };

/// The autoencoder of ResShift and DifIISR (with three levels: a quarter of the size), trained with codes:
///   z = quant_conv(encoder(x)),   image = decoder(post_quant_conv(quantised z)).
/// As a network it encodes, quantises and decodes its state; y and t are not looked at.
/// Attention over all latent pixels and distances from the codes never stand in memory; the maps do, at full size
/// ch_mult[1] ch H W numbers at a time.
/// Names are official: encoder.*, decoder.*, quantize.embedding.weight, quant_conv.*, post_quant_conv.*.
/// Source: Esser et al. 2021, "Taming Transformers for High-Resolution Image Synthesis"; Rombach et al. 2022,
/// "High-Resolution Image Synthesis with Latent Diffusion Models". Official: zsyOAOA/ResShift,
/// ldm/models/autoencoder.py, VQModelTorch. Quirk: group normalisation has eps 1e-6 here and 1e-5 in the U-Net.
class VqF4 : public NetworkModule {
 public:
  /// @throws Error{kUsage} as the config's validate()
  explicit VqF4(const VqF4Config& config);
  ~VqF4() override;

  /// @param x  image, [B,in_channels,H,W] in [-1,1], H and W multiples of factor()
  /// @return   latents before quantisation, [B,embed_dim,H/factor,W/factor] float32
  /// @throws Error{kUsage} for other channels, Error{kInternal} for other shapes
  at::Tensor encode(const at::Tensor& x) const;
  /// @param z  [B,embed_dim,h,w] float32
  nn::Quantised quantize(const at::Tensor& z) const { return quantize_->forward(z); }
  /// The codes of these indices, [B,h,w] int64, as latents.
  at::Tensor codes(const at::Tensor& indices) const { return quantize_->codes(indices); }
  /// The gradient passes the quantisation straight through.
  /// @param z  [B,embed_dim,h,w] float32   @return [B,out_ch,factor h,factor w] float32, not clamped
  at::Tensor decode(const at::Tensor& z, Latents latents = Latents::kQuantised) const;
  std::int64_t factor() const { return config_.factor(); }

  /// @param x  as for encode()   @return its decoded image
  at::Tensor forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) override;
  std::int64_t time_multiple() const override { return factor(); }

  /// Lets a test see the parts by their names in the state dictionary.
  void set_probe(nn::Probe probe) { probe_ = std::move(probe); }

 private:
  VqF4Config config_;
  nn::Probe probe_;
  std::shared_ptr<VqEncoder> encoder_;
  std::shared_ptr<VqDecoder> decoder_;
  std::shared_ptr<nn::VectorQuantizer> quantize_;
  std::shared_ptr<nn::PlainConv2d> quant_conv_, post_quant_conv_;
};

}  // namespace reseda::nets
