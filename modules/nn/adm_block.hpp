#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>

#include "modules/nn/plain_layers.hpp"
#include "modules/nn/residual_block.hpp"

namespace reseda::nn {

/// Part of a network of guided diffusion. All are called alike, so that a stage is a list of them.
class AdmLayer : public torch::nn::Module {
 public:
  /// @param x          [B,C,H,W]
  /// @param silu_temb  silu of the time embedding, [B,embedding] float32; residual blocks alone look at it
  virtual at::Tensor forward(const at::Tensor& x, const at::Tensor& silu_temb) const = 0;
};

/// How the time embedding enters a residual block.
enum class Modulation {
  kScaleShift,  ///< norm(h) (1 + scale) + shift
  kAdd          ///< norm(h + shift)
};

struct AdmBlockOptions {
  Modulation modulation = Modulation::kScaleShift;
  Resample resample = Resample::kNone;
  std::int64_t skip_kernel = 1;  ///< of the skip where the channels change: 1, or 3 with padding
};

/// Residual block of ADM, with R nearest-neighbour doubling, the mean of 2x2 pixels or nothing:
///   h = in_layers.2(R(silu(in_layers.0(x)))),   [scale, shift] = emb_layers.1(silu(temb)),
///   h = out_layers.3(silu(out_layers.0(h) (1 + scale) + shift)),   out = S(R(x)) + h,
///   S = skip_connection where the channels change, else identity.
/// Normalisations in 32 groups, eps 1e-5; out_layers.3 starts at 0. Dropout, which the official block has in training,
/// is left out. In a block of 32 channels each group is one channel, so an embedding that is added, and the bias before
/// it, have no effect.
/// Source: Dhariwal & Nichol 2021, "Diffusion Models Beat GANs on Image Synthesis". Official: openai/guided-diffusion,
/// guided_diffusion/unet.py, ResBlock.
class AdmBlock : public AdmLayer {
 public:
  /// @param embedding  width of the time embedding
  /// @throws Error{kUsage} unless 32 divides `in` and `out`
  AdmBlock(std::int64_t in, std::int64_t out, std::int64_t embedding, AdmBlockOptions options = {});
  /// @return [B,out,H',W'], H' = 2H, H or floor(H/2)
  at::Tensor forward(const at::Tensor& x, const at::Tensor& silu_temb) const override;

 private:
  at::Tensor resampled(const at::Tensor& x) const;
  at::Tensor modulated(at::Tensor h, const at::Tensor& embedded) const;

  AdmBlockOptions options_;
  std::shared_ptr<PlainGroupNorm> norm_in_, norm_out_;
  std::shared_ptr<PlainConv2d> conv_in_, conv_out_, skip_;
  std::shared_ptr<PlainLinear> emb_;
};

enum class WithConv { kYes, kNo };

/// Halves height and width: a 3x3 convolution of stride 2 with padding 1 (`op`), or the mean of 2x2 pixels.
class AdmDownsample : public AdmLayer {
 public:
  AdmDownsample(std::int64_t channels, WithConv with_conv);
  /// With a convolution that changes the channels.
  AdmDownsample(std::int64_t in, std::int64_t out);
  /// @return [B,out,H/2,W/2], rounded up with a convolution and down without
  at::Tensor forward(const at::Tensor& x, const at::Tensor& silu_temb) const override;

 private:
  std::shared_ptr<PlainConv2d> op_;
};

/// Doubles height and width: every pixel four times, then a 3x3 convolution (`conv`) or nothing.
class AdmUpsample : public AdmLayer {
 public:
  AdmUpsample(std::int64_t channels, WithConv with_conv);
  /// With a convolution that changes the channels.
  AdmUpsample(std::int64_t in, std::int64_t out);
  /// @return [B,out,2H,2W]
  at::Tensor forward(const at::Tensor& x, const at::Tensor& silu_temb) const override;

 private:
  std::shared_ptr<PlainConv2d> conv_;
};

/// The normalisation of every layer of ADM: 32 groups, eps 1e-5.
std::shared_ptr<PlainGroupNorm> adm_norm(std::int64_t channels);

}  // namespace reseda::nn
