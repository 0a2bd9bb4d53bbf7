#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "modules/nets/network_module.hpp"
#include "modules/nn/ddpm_block.hpp"
#include "modules/nn/plain_layers.hpp"

namespace reseda::nets {

/// Settings of Resfusion's U-Net for generation, by their official names where there is one.
struct ResfusionDdimUnetConfig {
  std::int64_t image_size = 32;
  std::int64_t ch = 128;
  std::vector<std::int64_t> ch_mult = {1, 2, 2, 2};
  std::int64_t num_res_blocks = 2;
  std::vector<std::int64_t> attn_resolutions = {16};
  std::int64_t channels = 3;
  std::int64_t out_channels = 0;
  std::int64_t condition_channels = 0;

  template <class V>
  void fields(V& v) {
    v("image_size", image_size, "height of the training images, from which the levels' heights follow");
    v("ch", ch, "channels of the first level");
    v("ch_mult", ch_mult, "channels of each level as multiples of ch");
    v("num_res_blocks", num_res_blocks, "residual blocks of each level on the way down");
    v("attn_resolutions", attn_resolutions, "heights at which residual blocks are followed by attention");
    v("channels", channels, "channels of the state");
    v("out_channels", out_channels, "channels of the prediction; 0 is as many as the state has");
    v("condition_channels", condition_channels, "channels of what conditions it; 0 ignores it");
  }
  /// @throws Error{kUsage} naming the key, what it may be, and its value
  void validate() const;

  std::size_t levels() const { return ch_mult.size(); }
  std::int64_t width(std::size_t level) const { return ch * ch_mult[level]; }
  bool attends(std::size_t level) const;
};

/// The U-Net of DDPM and DDIM as Resfusion uses it for generation. Images of any size that is a multiple of
/// 2^(levels - 1) pass; where attention stands, image_size decides.
/// Source: Ho et al. 2020, "Denoising Diffusion Probabilistic Models", appendix B. Official: nkicsl/Resfusion,
/// model/denoising_module/DDIM_Unet.py. Quirk: its dropout in training is left out.
class ResfusionDdimUnet : public NetworkModule {
 public:
  /// @throws Error{kUsage} as the config's validate()
  explicit ResfusionDdimUnet(const ResfusionDdimUnetConfig& config);

  /// @param x  [B,channels,H,W]
  /// @param y  [B,condition_channels,H,W]; not looked at where these are 0
  /// @param t  [B] float32
  /// @return   [B,out_channels,H,W] float32
  /// @throws Error{kUsage} where channels do not fit the config, Error{kInternal} on other shapes
  at::Tensor forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) override;
  std::int64_t time_multiple() const override { return std::int64_t{1} << (config_.levels() - 1); }

  /// Lets a test see the parts by their names in the state dictionary.
  void set_probe(nn::Probe probe) { probe_ = std::move(probe); }

 private:
  struct Level {
    std::vector<std::shared_ptr<nn::DdpmBlock>> blocks;
    std::vector<std::shared_ptr<nn::DdpmAttention>> attentions;  // one per block, or none
    std::shared_ptr<nn::DdpmDownsample> downsample;              // null on the last level
    std::shared_ptr<nn::DdpmUpsample> upsample;                  // null on level 0
    std::string name;
  };

  void build_down(std::vector<std::int64_t>& skips);
  void build_mid(std::int64_t width);
  void build_up(std::vector<std::int64_t>& skips);
  std::shared_ptr<torch::nn::Module> module_of(const Level& level) const;

  at::Tensor seen(const std::string& name, at::Tensor value) const;
  at::Tensor embed(const at::Tensor& t) const;
  at::Tensor step(const Level& level, std::size_t block, const at::Tensor& x, const at::Tensor& temb) const;
  at::Tensor middle(const at::Tensor& x, const at::Tensor& temb) const;

  ResfusionDdimUnetConfig config_;
  nn::Probe probe_;
  std::shared_ptr<nn::PlainLinear> dense0_, dense1_;
  std::shared_ptr<nn::PlainConv2d> conv_in_, conv_out_;
  std::vector<Level> down_, up_;  // up_ from the lowest level to level 0
  std::shared_ptr<nn::DdpmBlock> mid_block1_, mid_block2_;
  std::shared_ptr<nn::DdpmAttention> mid_attention_;
  std::shared_ptr<nn::PlainGroupNorm> norm_out_;
};

}  // namespace reseda::nets
