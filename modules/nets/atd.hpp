#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "modules/nets/network_module.hpp"
#include "modules/nn/atd_group.hpp"

namespace reseda::nets {

/// Settings of the super-resolution transformer with an adaptive token dictionary, by their official names.
struct AtdConfig {
  std::int64_t upscale = 4;
  std::int64_t in_chans = 3;
  std::int64_t embed_dim = 96;
  std::vector<std::int64_t> depths = {6, 6, 6, 6};
  std::vector<std::int64_t> num_heads = {4, 4, 4, 4};
  std::int64_t window_size = 16;
  std::int64_t category_size = 128;
  std::int64_t num_tokens = 64;
  std::int64_t reducted_dim = 8;
  std::int64_t convffn_kernel_size = 7;
  double mlp_ratio = 1;
  double img_range = 1;
  std::string upsampler = "pixelshuffledirect";
  std::string resi_connection = "1conv";

  template <class V>
  void fields(V& v) {
    v("upscale", upscale, "factor of the super-resolution");
    v("in_chans", in_chans, "channels of the image");
    v("embed_dim", embed_dim, "features of a pixel");
    v("depths", depths, "layers of each group");
    v("num_heads", num_heads, "attention heads of each group");
    v("window_size", window_size, "side of a window");
    v("category_size", category_size, "pixels of one category that attend to each other");
    v("num_tokens", num_tokens, "tokens of a dictionary");
    v("reducted_dim", reducted_dim, "features by which pixels and tokens are compared");
    v("convffn_kernel_size", convffn_kernel_size, "side of the depthwise convolution, odd");
    v("mlp_ratio", mlp_ratio, "features of the feed-forward part as a multiple of embed_dim");
    v("img_range", img_range, "largest value of an image; 1");
    v("upsampler", upsampler, "how the size grows: pixelshuffledirect");
    v("resi_connection", resi_connection, "what ends a group: 1conv");
  }
  /// @throws Error{kUsage} naming the key, what it may be, and its value
  void validate() const;
};

/// Super-resolution of an image by one call: with s = conv_first(2 x - 1),
///   out = (upsample(conv_after_body(norm(groups(patch_embed.norm(s)))) + s) + 1) / 2,
/// where upsample is a convolution to upscale^2 times the channels and a pixel shuffle. Images are continued by
/// mirroring, the edge included, to multiples of a window, and the result is cut. Not clamped. float32 in every compute
/// type. The file's buffer relative_position_index_SA is made anew.
/// Source: Zhang et al. 2024, "Transcending the Limit of Local Window: Advanced Super-Resolution Transformer with
/// Adaptive Token Dictionary". Official: LabShuHangGU/UPSR, basicsr/archs/atd_real_arch.py, ATD.
class Atd : public NetworkModule {
 public:
  /// @throws Error{kUsage} as the config's validate()
  explicit Atd(const AtdConfig& config);
  /// @param x  [B,in_chans,H,W] in [0,1]   @param y, t  not looked at   @return [B,in_chans,upscale H,upscale W]
  at::Tensor forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) override;

  /// Lets a test see the parts by their names in the state dictionary, as tokens [B,N,C].
  void set_probe(nn::Probe probe) { probe_ = std::move(probe); }

 private:
  AtdConfig config_;
  nn::Probe probe_;
  std::shared_ptr<nn::PlainConv2d> first_, after_body_, upsample_;
  std::shared_ptr<nn::PlainLayerNorm> embed_norm_, norm_;
  std::vector<std::shared_ptr<nn::AtdGroup>> groups_;
};

/// The image continued downwards and to the right by its mirror image, the edge included, to multiples of `multiple`.
/// @param x  [B,C,H,W]
at::Tensor mirrored_to_multiple(const at::Tensor& x, std::int64_t multiple);

}  // namespace reseda::nets
