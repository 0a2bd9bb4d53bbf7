#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "modules/nets/adm_encoder.hpp"
#include "modules/nn/swin_layer.hpp"

namespace reseda::nets {

/// What the U-Nets of ResShift and UPSR have in common, by the official names where there is one. The defaults make a
/// small network; configs/infrared/ has those of the published ones.
struct SwinConfig {
  std::int64_t image_size = 16;
  std::int64_t in_channels = 3;
  std::int64_t model_channels = 32;
  std::int64_t out_channels = 3;
  std::vector<std::int64_t> num_res_blocks = {1, 1};
  std::vector<std::int64_t> attention_resolutions = {16, 8};
  double dropout = 0;
  std::vector<double> channel_mult = {1, 2};
  bool conv_resample = true;
  std::int64_t num_head_channels = 16;
  bool use_scale_shift_norm = true;
  bool resblock_updown = false;
  std::int64_t swin_depth = 2;
  std::int64_t swin_embed_dim = 32;
  std::int64_t window_size = 8;
  double mlp_ratio = 2;
  bool patch_norm = false;
  bool cond_lq = true;
  std::int64_t lq_size = 16;
  std::int64_t lq_channels = 3;
  std::string window_mask = "resshift";

  template <class V>
  void fields(V& v) {
    v("image_size", image_size, "nominal height of the state; each halving halves it");
    v("in_channels", in_channels, "channels of the state");
    v("model_channels", model_channels, "channels of which those of the levels are multiples");
    v("out_channels", out_channels, "channels of the prediction");
    v("num_res_blocks", num_res_blocks, "residual blocks of each level on the way down");
    v("attention_resolutions", attention_resolutions,
      "nominal heights at which the first residual block of a level is followed by a Swin layer");
    v("dropout", dropout, "share that the official network drops in training; without effect here");
    v("channel_mult", channel_mult, "channels of each level as multiples of model_channels");
    v("conv_resample", conv_resample, "whether maps are halved and doubled with a convolution (not resblock_updown)");
    v("num_head_channels", num_head_channels, "channels of an attention head");
    v("use_scale_shift_norm", use_scale_shift_norm, "whether the time scales and shifts normalised maps; else it adds");
    v("resblock_updown", resblock_updown, "whether maps are halved and doubled within residual blocks");
    v("swin_depth", swin_depth, "blocks of a Swin layer");
    v("swin_embed_dim", swin_embed_dim, "channels inside a Swin layer");
    v("window_size", window_size, "side of a window in pixels; blocks are moved where the nominal height is larger");
    v("mlp_ratio", mlp_ratio, "channels inside a block's second part as a multiple of swin_embed_dim");
    v("patch_norm", patch_norm, "whether the outer convolutions of a Swin layer are normalised");
    v("cond_lq", cond_lq, "whether the network sees the image in low resolution");
    v("lq_size", lq_size, "nominal height of that image: image_size, or that times a power of two");
    v("lq_channels", lq_channels, "channels of that image");
    v("window_mask", window_mask,
      "which pixels are kept apart in moved windows: resshift (as all published networks were trained) or swin (those "
      "that were not neighbours)");
  }
  /// @throws Error{kUsage} naming the key, what it may be, and its value
  void validate() const;

  std::size_t levels() const { return channel_mult.size(); }
  std::int64_t width(std::size_t level) const;
  std::int64_t nominal(std::size_t level) const { return image_size >> level; }
  bool attends(std::size_t level) const;
  /// By how many halvings the image in low resolution reaches the size of the state.
  std::int64_t lq_halvings() const;
  /// Of height and width: every map that a Swin layer sees is made of whole windows.
  std::int64_t multiple() const;
};

/// The larger image in low resolution at the size of the state: as often as needed a 3x3 convolution, silu, and a
/// convolution that halves the map and doubles its channels, 16 at first. Names: {0,3,..}.*, {2,5,..}.op.*.
class LqFeatures : public torch::nn::Module {
 public:
  LqFeatures(std::int64_t channels, std::int64_t halvings);
  at::Tensor forward(at::Tensor y) const;
  std::int64_t channels() const { return channels_; }

 private:
  std::int64_t channels_;
  std::vector<std::shared_ptr<nn::PlainConv2d>> convolutions_;
  std::vector<std::shared_ptr<nn::AdmDownsample>> halvings_;
};

/// The U-Net of ResShift without its head: that of guided diffusion with a Swin layer behind the first residual block
/// of a level in place of attention behind each. State and image in low resolution stand along the channels, [x, y]. A
/// network takes its children, which have the official names, as its own: time_embed.{0,2}, feature_extractor (where
/// the image is larger than the state), input_blocks.i, middle_block.{0,1,2}, output_blocks.i.
/// Source: Yue et al. 2023, "ResShift: Efficient Diffusion Model for Image Super-resolution by Residual Shifting".
/// Official: zsyOAOA/ResShift, models/unet.py, UNetModelSwin; the same in zirui0625/DifIISR and LabShuHangGU/UPSR.
/// Quirk: dropout is left out; an image of another size than the nominal one says is refused, where the code of DifIISR
/// repeats the pixels of a smaller one and unshuffles a larger one.
class SwinTrunk : public torch::nn::Module {
 public:
  /// @param lq_channels  of the condition, a mask included; 0 for none
  SwinTrunk(const SwinConfig& config, std::int64_t lq_channels);

  /// @param x     [B,in_channels,H,W], H and W multiples of config.multiple()
  /// @param y     [B,lq_channels,2^n H,2^n W], n = config.lq_halvings(); not looked at without condition
  /// @param t     [B] float32
  /// @param type  of the activations
  /// @return      [B,config.width(0),H,W] in that type
  /// @throws Error{kUsage} where channels do not fit the config, Error{kInternal} on other shapes
  at::Tensor forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t, at::ScalarType type,
                     const nn::Probe& probe) const;

 private:
  std::shared_ptr<nn::AdmLayer> block(std::int64_t in, std::int64_t out,
                                      nn::Resample resample = nn::Resample::kNone) const;
  std::shared_ptr<nn::AdmLayer> swin(std::size_t level) const;
  std::shared_ptr<nn::AdmLayer> halving(std::int64_t channels) const;
  std::shared_ptr<nn::AdmLayer> doubling(std::int64_t channels) const;
  void build_down(std::vector<std::int64_t>& skips);
  void build_up(std::vector<std::int64_t> skips);
  at::Tensor joined(const at::Tensor& x, const at::Tensor& y, at::ScalarType type, const nn::Probe& probe) const;
  at::Tensor embed(const at::Tensor& t, const nn::Probe& probe) const;

  SwinConfig config_;
  std::int64_t lq_channels_;
  std::shared_ptr<nn::PlainLinear> embed0_, embed1_;
  std::shared_ptr<LqFeatures> features_;  // none where the image has the size of the state
  std::shared_ptr<nn::PlainConv2d> first_;
  std::vector<std::shared_ptr<AdmStage>> down_stages_, up_stages_;  // input_blocks.1, ...; output_blocks.0, ...
  std::shared_ptr<AdmStage> middle_;
};

}  // namespace reseda::nets
