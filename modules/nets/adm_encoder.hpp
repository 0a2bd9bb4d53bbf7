#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "modules/nn/adm_attention.hpp"
#include "modules/nn/adm_block.hpp"
#include "modules/nn/plain_layers.hpp"
#include "modules/nn/residual_block.hpp"

namespace reseda::nets {

/// What the U-Net and the classifier of ADM have in common, by the official names.
struct AdmConfig {
  std::int64_t image_size = 64;
  std::int64_t in_channels = 3;
  std::int64_t model_channels = 128;
  std::int64_t out_channels = 3;
  std::int64_t num_res_blocks = 2;
  std::vector<std::int64_t> attention_resolutions = {8, 16, 32};
  double dropout = 0;
  std::vector<double> channel_mult = {1, 2, 4, 8};
  bool conv_resample = true;
  std::int64_t num_heads = 1;
  std::int64_t num_head_channels = -1;
  bool use_scale_shift_norm = false;
  bool resblock_updown = false;
  bool use_new_attention_order = false;
  std::string torso = "f32";

  template <class V>
  void fields(V& v) {
    v("image_size", image_size, "height and width of the training images");
    v("in_channels", in_channels, "channels of the state");
    v("model_channels", model_channels, "channels of the first level, of which the others are multiples");
    v("out_channels", out_channels, "channels of the prediction; twice in_channels with a learned variance");
    v("num_res_blocks", num_res_blocks, "residual blocks of each level on the way down");
    v("attention_resolutions", attention_resolutions,
      "factors of down-sampling at which residual blocks are followed by attention");
    v("dropout", dropout, "share that the official network drops in training; without effect here");
    v("channel_mult", channel_mult, "channels of each level as multiples of model_channels");
    v("conv_resample", conv_resample, "whether maps are halved and doubled with a convolution (not resblock_updown)");
    v("num_heads", num_heads, "attention heads where num_head_channels is -1");
    v("num_head_channels", num_head_channels, "channels of an attention head; -1 takes num_heads");
    v("use_scale_shift_norm", use_scale_shift_norm, "whether the time scales and shifts normalised maps; else it adds");
    v("resblock_updown", resblock_updown, "whether maps are halved and doubled within residual blocks");
    v("use_new_attention_order", use_new_attention_order, "whether the channels of qkv are q, k, v; else head by head");
    v("torso", torso, "type of all layers between time embedding and head: f32, or f16 (official use_fp16)");
  }
  /// @throws Error{kUsage} naming the key, what it may be, and its value
  void validate() const;

  std::size_t levels() const { return channel_mult.size(); }
  /// Channels of a level: model_channels times its multiple, rounded down.
  std::int64_t width(std::size_t level) const;
  bool attends(std::size_t level) const;
  /// Heads of attention over so many channels. @param otherwise  their number where num_head_channels is -1
  std::int64_t heads(std::int64_t channels, std::int64_t otherwise) const;
  /// Of height and width: 2^(levels - 1).
  std::int64_t multiple() const { return std::int64_t{1} << (levels() - 1); }
};

/// Layers that official code runs one after another, `input_blocks.i` or `output_blocks.i`.
class AdmStage : public torch::nn::Module {
 public:
  explicit AdmStage(std::vector<std::shared_ptr<nn::AdmLayer>> layers);
  /// @param probe  sees every layer by its number
  at::Tensor forward(at::Tensor h, const at::Tensor& silu_temb, const nn::Probe& probe) const;

 private:
  std::vector<std::shared_ptr<nn::AdmLayer>> layers_;
};

/// The way down of ADM's networks and their middle: a 3x3 convolution, per level residual blocks with or without
/// attention and a halving, then residual block, attention, residual block.
/// A network takes its children, which have the official names, as its own: time_embed.{0,2}, input_blocks.i,
/// middle_block.{0,1,2}.
/// Source: Dhariwal & Nichol 2021, "Diffusion Models Beat GANs on Image Synthesis". Official: openai/guided-diffusion,
/// guided_diffusion/unet.py.
class AdmEncoder : public torch::nn::Module {
 public:
  /// @param in_channels  of the joined input
  AdmEncoder(const AdmConfig& config, std::int64_t in_channels);

  /// The time embedding before its last silu, [B,4 model_channels] float32, of t [B] float32.
  at::Tensor embed(const at::Tensor& t) const;
  /// @param input  [B,in_channels,H,W]   @param skips  appended to: the map after every stage on the way down
  /// @return       the map after the middle
  at::Tensor forward(const at::Tensor& input, const at::Tensor& silu_temb, std::vector<at::Tensor>& skips,
                     const nn::Probe& probe) const;

  /// A residual block of a network with these settings.
  static std::shared_ptr<nn::AdmLayer> block(const AdmConfig& config, std::int64_t in, std::int64_t out,
                                             nn::Resample resample = nn::Resample::kNone);
  static std::shared_ptr<nn::AdmLayer> attention(const AdmConfig& config, std::int64_t channels,
                                                 std::int64_t num_heads);
  /// Channels of the maps after every stage on the way down; the last has those of the middle.
  const std::vector<std::int64_t>& widths() const { return widths_; }

 private:
  void build_down(const AdmConfig& config);

  std::int64_t features_;  // of the time, before the embedding
  std::shared_ptr<nn::PlainLinear> embed0_, embed1_;
  std::shared_ptr<nn::PlainConv2d> first_;
  std::vector<std::shared_ptr<AdmStage>> stages_;  // input_blocks.1, ...
  std::shared_ptr<AdmStage> middle_;
  std::vector<std::int64_t> widths_;
};

/// The type of the layers between time embedding and head: that of the network, or f16 where its config asks for it and
/// the network's is float32.
at::ScalarType torso_type(const AdmConfig& config, at::ScalarType compute_type);

/// The joined input in that type and in_fast_layout().
at::Tensor torso_input(const AdmConfig& config, at::ScalarType compute_type, const at::Tensor& joined);

}  // namespace reseda::nets
