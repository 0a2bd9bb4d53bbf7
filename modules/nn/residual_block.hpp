#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "modules/nn/layers.hpp"

namespace reseda::nn {

/// Sees values inside a block or network by name; for tests that locate a difference. An empty one costs nothing.
using Probe = std::function<void(const std::string& name, const at::Tensor& value)>;

enum class Resample { kNone, kUp, kDown };

/// Residual block of BigGAN type conditioned on a time embedding, with R the FIR resampling or nothing:
///   h = Conv_0(R(silu(GroupNorm_0(x)))) + Dense_0(silu(temb)),   h = Conv_1(silu(GroupNorm_1(h))),
///   out = (S(R(x)) + h) / sqrt(2),   S = Conv_2 (1x1) where the channels change or the map is resampled, else
///   identity.
/// Source: Song et al. 2021, "Score-Based Generative Modeling through Stochastic Differential Equations", appendix H.
class ResidualBlock : public torch::nn::Module {
 public:
  ResidualBlock(std::int64_t in, std::int64_t out, std::int64_t embedding, Resample resample = Resample::kNone);
  /// @param x          [B,in,H,W]
  /// @param silu_temb  silu of the time embedding, [B,embedding] float32
  /// @param probe      sees GroupNorm_0 (before silu), Conv_0 (before the embedding is added) and Conv_1
  /// @return           [B,out,H',W'], H' = 2H, H or floor(H/2)
  at::Tensor forward(const at::Tensor& x, const at::Tensor& silu_temb, const Probe& probe = {}) const;

 private:
  at::Tensor resampled(const at::Tensor& x) const;
  at::Tensor first_half(const at::Tensor& x, const at::Tensor& silu_temb, const Probe& probe) const;

  Resample resample_;
  std::shared_ptr<GroupNorm> norm0_, norm1_;
  std::shared_ptr<Conv2d> conv0_, conv1_, shortcut_;
  std::shared_ptr<Linear> dense_;
};

}  // namespace reseda::nn
