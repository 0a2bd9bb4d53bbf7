#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>

#include <memory>
#include <vector>

#include "modules/nets/ncsnpp_config.hpp"
#include "modules/nets/network_module.hpp"
#include "modules/nn/attention_block.hpp"
#include "modules/nn/combine.hpp"
#include "modules/nn/fourier_features.hpp"
#include "modules/nn/layers.hpp"
#include "modules/nn/residual_block.hpp"

namespace reseda::nets {

/// NCSN++ for complex spectrograms, the backbone of SGMSE+ and of its Schroedinger bridge: a U-Net of residual blocks
/// with a pyramid of the input added on the way down and a pyramid of outputs summed on the way up.
/// Input channels: [Re x, Im x, Re y, Im y]; time embedding: MLP of the Fourier features of ln t.
/// Names are official: output_layer.*, then all_modules.N.* in the order of construction.
/// Quirk: what is called scaling by sigma divides by t itself.
/// Source: Song et al. 2021, "Score-Based Generative Modeling through Stochastic Differential Equations"; Richter et
/// al. 2023, "Speech Enhancement and Dereverberation with Diffusion-Based Generative Models". Official: sp-uhh/sgmse,
/// sgmse/backbones/ncsnpp.py, ncsnpp_48k.py, ncsnpp_v2.py.
class Ncsnpp : public NetworkModule {
 public:
  /// @throws Error{kUsage} where channels cannot be normalised in groups
  Ncsnpp(const NcsnppConfig& config, TimeDivision division);

  /// @param x  [B,1,F,T] complex64, F and T multiples of time_multiple()
  /// @param y  same shape
  /// @param t  [B] float32, positive
  /// @return   [B,1,F,T] complex64; the score is its negative (ncsnpp, ncsnpp_48k), see the model's config
  /// @throws Error{kUsage} where F does not fit image_size, Error{kInternal} on other shapes
  at::Tensor forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) override;
  /// 2^(levels - 1)
  std::int64_t time_multiple() const override { return std::int64_t{1} << (config_.levels() - 1); }

  /// Lets a test see "all_modules.N", "pyramid_downsample", "pyramid_upsample" and "output_layer" as they are computed.
  void set_probe(nn::Probe probe) { probe_ = std::move(probe); }

 private:
  struct Down {
    std::vector<std::shared_ptr<nn::ResidualBlock>> blocks;
    std::vector<std::shared_ptr<nn::AttentionBlock>> attentions;  // one per block, or none
    std::shared_ptr<nn::ResidualBlock> shrink;                    // null on the last level
    std::shared_ptr<nn::Combine> combine;                         // null without an input pyramid
  };
  struct Up {
    std::vector<std::shared_ptr<nn::ResidualBlock>> blocks;
    std::shared_ptr<nn::AttentionBlock> attention;  // may be null
    std::shared_ptr<nn::GroupNorm> norm;            // null without an output pyramid, unless the last
    std::shared_ptr<nn::Conv2d> conv;
    std::shared_ptr<nn::ResidualBlock> grow;  // null on level 0
  };

  template <class Module, class... Args>
  std::shared_ptr<Module> add(Args&&... args);
  void build_down(std::vector<std::int64_t>& skips);
  void build_up(std::vector<std::int64_t>& skips);
  std::int64_t index_of(const torch::nn::Module& module) const;
  at::Tensor seen(const torch::nn::Module& module, at::Tensor value) const;

  at::Tensor embed(const at::Tensor& t) const;
  at::Tensor go_down(const at::Tensor& input, const at::Tensor& temb, std::vector<at::Tensor>& skips) const;
  at::Tensor go_up(at::Tensor h, const at::Tensor& temb, std::vector<at::Tensor>& skips) const;
  at::Tensor to_channels(const Up& level, const at::Tensor& h) const;
  at::Tensor head(at::Tensor h, const at::Tensor& t) const;

  NcsnppConfig config_;
  TimeDivision division_;
  nn::Probe probe_;
  std::shared_ptr<nn::Conv2d> output_layer_, first_;
  torch::nn::ModuleList all_;
  std::shared_ptr<nn::FourierFeatures> features_;
  std::shared_ptr<nn::Linear> embed0_, embed1_;
  std::vector<Down> down_;
  std::shared_ptr<nn::ResidualBlock> middle0_, middle1_;
  std::shared_ptr<nn::AttentionBlock> middle_attention_;
  std::vector<Up> up_;  // from the lowest level to level 0
};

}  // namespace reseda::nets
