#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/modules/container/modulelist.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "modules/nets/network_module.hpp"
#include "modules/nn/modulated_block.hpp"
#include "modules/nn/pixel_attention.hpp"
#include "modules/nn/plain_layers.hpp"

namespace reseda::nets {

/// Settings of the U-Net of RDDM and Resfusion, by their official names where there is one.
struct ResidualUnetConfig {
  std::int64_t dim = 64;
  std::vector<std::int64_t> dim_mults = {1, 2, 4, 8};
  std::int64_t channels = 3;
  std::int64_t out_dim = 0;
  std::int64_t condition_channels = 3;
  bool self_condition = false;
  std::int64_t resnet_block_groups = 8;

  template <class V>
  void fields(V& v) {
    v("dim", dim, "channels of the first level");
    v("dim_mults", dim_mults, "channels of each level as multiples of dim");
    v("channels", channels, "channels of the state");
    v("out_dim", out_dim, "channels of a prediction; 0 is as many as the state has");
    v("condition_channels", condition_channels, "channels of what conditions it, a mask included; 0 ignores it");
    v("self_condition", self_condition, "whether it also sees the estimate of x0 of the step before");
    v("resnet_block_groups", resnet_block_groups, "groups of the group normalisations");
  }
  /// @throws Error{kUsage} naming the key, what it may be, and its value
  void validate() const;

  std::int64_t prediction_channels() const { return out_dim > 0 ? out_dim : channels; }
  std::int64_t input_channels() const { return channels * (self_condition ? 2 : 1) + condition_channels; }
  std::int64_t multiple() const { return std::int64_t{1} << (dim_mults.size() - 1); }
};

enum class Decoders {
  kOne,    ///< ups, final_res_block, final_conv
  kShared  ///< of one encoder: ups_no_skip, final_res_block_1, final_conv_1; ups, final_res_block_2, final_conv_2
};

/// Which predictions of a network with two to compute.
enum class Heads { kBoth, kFirst, kSecond };

/// The U-Net of RDDM and Resfusion: per level two modulated residual blocks and linear attention, full attention in the
/// middle. Input channels: [previous estimate of x0, x, condition]; time embedding: MLP of sines and cosines.
/// Height and width are multiples of 2^(levels - 1).
/// Source: Liu et al. 2024, "Residual Denoising Diffusion Models"; Shi et al. 2024, "Resfusion: Denoising Diffusion
/// Probabilistic Models for Image Restoration Based on Prior Residual Noise". Official: nachifur/RDDM,
/// src/residual_denoising_diffusion_pytorch.py; nkicsl/Resfusion, model/denoising_module/RDDM_Unet.py.
class ResidualUnet : public NetworkModule {
 public:
  /// @throws Error{kUsage} as the config's validate()
  explicit ResidualUnet(const ResidualUnetConfig& config, Decoders decoders = Decoders::kOne);

  /// @param x  [B,channels,H,W]
  /// @param y  [B,condition_channels,H,W]; not looked at where these are 0
  /// @param t  [B] float32
  /// @return   [B,out_dim,H,W] float32; with shared decoders [B,2 out_dim,H,W]
  /// @throws Error{kUsage} where channels do not fit the config, Error{kInternal} on other shapes
  at::Tensor forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) override;
  at::Tensor forward_given(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t,
                           const at::Tensor& estimate) override;
  bool self_conditioned() const override { return config_.self_condition; }
  std::int64_t heads() const override { return decoders_ == Decoders::kOne ? 1 : 2; }
  std::int64_t time_multiple() const override { return config_.multiple(); }

  /// The channels that predict() takes, in `type` and with the channels last in memory.
  static at::Tensor joined(const ResidualUnetConfig& config, const at::Tensor& x, const at::Tensor& y,
                           const at::Tensor& estimate, at::ScalarType type);
  /// @param input  [B,input_channels,H,W] in the compute type   @param t  [B] float32
  /// @return       the predictions that are asked for along the channels, float32
  at::Tensor predict(const at::Tensor& input, const at::Tensor& t, Heads heads = Heads::kBoth) const;

  /// Lets a test see the parts by their names in the state dictionary.
  void set_probe(nn::Probe probe) { probe_ = std::move(probe); }

 private:
  struct Stage {
    std::shared_ptr<nn::ModulatedBlock> block0, block1;
    std::shared_ptr<nn::ResidualAttention> attention;
    std::shared_ptr<nn::PlainConv2d> resample;
    bool grows = false;  // the map is doubled before `resample`
    std::string name;
  };
  struct Head {
    std::shared_ptr<nn::ModulatedBlock> block;
    std::shared_ptr<nn::PlainConv2d> conv;
    std::string suffix;  // "", "_1", "_2"
  };

  std::shared_ptr<nn::ModulatedBlock> block(std::int64_t in, std::int64_t out) const;
  torch::nn::ModuleList modules_of(const Stage& stage) const;
  void build_down();
  std::vector<Stage> build_up(const std::string& name, bool with_skips);
  Head build_head(const std::string& suffix, std::int64_t in);

  at::Tensor seen(const std::string& name, at::Tensor value) const;
  at::Tensor run(const nn::ModulatedBlock& part, const std::string& name, const at::Tensor& x,
                 const at::Tensor& temb) const;
  at::Tensor embed(const at::Tensor& t) const;
  at::Tensor go_down(at::Tensor h, const at::Tensor& temb, std::vector<at::Tensor>& skips) const;
  at::Tensor go_up(const std::vector<Stage>& stages, at::Tensor h, const at::Tensor& temb,
                   std::vector<at::Tensor>* skips) const;
  at::Tensor finish(const Head& head, const at::Tensor& h, const at::Tensor& temb) const;

  ResidualUnetConfig config_;
  Decoders decoders_;
  nn::Probe probe_;
  std::shared_ptr<nn::PlainConv2d> init_conv_;
  std::shared_ptr<nn::PlainLinear> embed0_, embed1_;
  std::vector<Stage> downs_, ups_, ups_no_skip_;
  std::shared_ptr<nn::ModulatedBlock> mid_block1_, mid_block2_;
  std::shared_ptr<nn::ResidualAttention> mid_attn_;
  Head head_, head_no_skip_;
};

}  // namespace reseda::nets
