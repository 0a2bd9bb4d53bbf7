#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>

namespace reseda::nn {

/// Settings of a convolution with a square kernel and zero padding.
struct ConvOptions {
  std::int64_t kernel = 3;
  std::int64_t stride = 1;
  std::int64_t padding = 1;
  std::int64_t groups = 1;  ///< of channels, each of which sees its own share of the input's
};
inline constexpr ConvOptions kPointwise = {.kernel = 1, .stride = 1, .padding = 0};

enum class Bias { kYes, kNo };

/// Convolution as most published networks have it: `weight` [out,in/groups,k,k] and `bias` [out], both at first uniform
/// within 1/sqrt(in/groups k k). It computes in the type of its input (float32 or bfloat16) and keeps the input's
/// memory layout; the parameters stay float32.
class PlainConv2d : public torch::nn::Module {
 public:
  PlainConv2d(std::int64_t in, std::int64_t out, ConvOptions options = {}, Bias with_bias = Bias::kYes);
  /// @param x  [B,in,H,W]   @return [B,out,H',W'], H' = floor((H + 2 padding - kernel) / stride) + 1
  at::Tensor forward(const at::Tensor& x) const { return convolve(x, weight); }
  /// A 1x1 convolution of values with the channels last, [...,in] -> [...,out].
  at::Tensor of_tokens(const at::Tensor& tokens) const;

  at::Tensor weight, bias;  // bias is undefined with Bias::kNo

 protected:
  at::Tensor convolve(const at::Tensor& x, const at::Tensor& other_weight) const;

 private:
  ConvOptions options_;
};

/// Convolution of 3x3 whose filters are standardised each time they are used, over all their weights,
///   w' = (w - mean(w)) / sqrt(var(w) + 1e-5),   var without Bessel's correction, in float32.
/// Quirk: official code takes 1e-3 instead of 1e-5 where activations are not float32; here it is 1e-5 always.
/// Source: Qiao et al. 2019, "Micro-Batch Training with Batch-Channel Normalization and Weight Standardization".
class StandardizedConv2d : public PlainConv2d {
 public:
  StandardizedConv2d(std::int64_t in, std::int64_t out) : PlainConv2d(in, out) {}
  /// @param x  [B,in,H,W]   @return [B,out,H,W]
  at::Tensor forward(const at::Tensor& x) const;
};

/// y = x W^T + b: `weight` [out,in] and `bias` [out], both at first uniform within 1/sqrt(in).
class PlainLinear : public torch::nn::Module {
 public:
  PlainLinear(std::int64_t in, std::int64_t out);
  /// @param x  [...,in]   @return [...,out]
  at::Tensor forward(const at::Tensor& x) const;

  at::Tensor weight, bias;
};

/// Normalisation over the last axis: `weight`, `bias` [C], eps 1e-5. The statistics are float32.
class PlainLayerNorm : public torch::nn::Module {
 public:
  explicit PlainLayerNorm(std::int64_t channels);
  /// @param x  [...,C]
  at::Tensor forward(const at::Tensor& x) const;

  at::Tensor weight, bias;
};

/// Group normalisation with a stated number of groups: `weight`, `bias` [C]. The statistics are float32.
class PlainGroupNorm : public torch::nn::Module {
 public:
  /// @throws Error{kUsage} unless the groups divide the channels
  PlainGroupNorm(std::int64_t groups, std::int64_t channels, double eps);
  /// @param x  [B,C,...]
  at::Tensor forward(const at::Tensor& x) const;
  /// forward(x) (1 + scale) + shift
  /// @param scale  [B,C]   @param shift  [B,C]
  at::Tensor forward(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift) const;

  at::Tensor weight, bias;

 private:
  std::int64_t groups_;
  double eps_;
};

/// Normalisation over the channels of each pixel with a gain alone, `g` [1,C,1,1]:
///   (x - mean) / sqrt(var + 1e-5) g,   var without Bessel's correction, in float32.
/// Quirk: as StandardizedConv2d.
class ChannelNorm : public torch::nn::Module {
 public:
  explicit ChannelNorm(std::int64_t channels);
  /// @param x  [B,C,H,W]
  at::Tensor forward(const at::Tensor& x) const;
  /// The same with the channels last, [...,C].
  at::Tensor of_tokens(const at::Tensor& tokens) const;

  at::Tensor g;
};

/// [B,C,H,W] as [B,H W,C], without a copy where the channels are last in memory.
at::Tensor to_tokens(const at::Tensor& x);
/// [B,H W,C] as [B,C,H,W] with the channels last in memory.
at::Tensor from_tokens(const at::Tensor& tokens, std::int64_t height, std::int64_t width);

/// x + h, overwriting h where no gradient is wanted: for an h that nobody else holds.
at::Tensor sum_consumed(const at::Tensor& x, at::Tensor h);

}  // namespace reseda::nn
