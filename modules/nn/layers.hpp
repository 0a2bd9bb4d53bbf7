#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>

namespace reseda::nn {

/// Convolution with an odd square kernel, stride 1 and zero padding that keeps the size: `weight` [out,in,k,k], `bias`
/// [out]. It computes in the type of its input (float32 or bfloat16) and keeps the input's memory layout; the
/// parameters stay float32. Initial weights: fan_average_uniform(init_scale), bias 0.
class Conv2d : public torch::nn::Module {
 public:
  Conv2d(std::int64_t in, std::int64_t out, std::int64_t kernel, double init_scale = 1.0);
  /// @param x  [B,in,H,W]   @return [B,out,H,W]
  at::Tensor forward(const at::Tensor& x) const { return forward(x, bias); }
  /// The same with another bias [out].
  at::Tensor forward(const at::Tensor& x, const at::Tensor& other_bias) const;

  at::Tensor weight, bias;
};

/// y = x W^T + b: `weight` [out,in], `bias` [out]; initial weights fan_average_uniform, bias 0.
class Linear : public torch::nn::Module {
 public:
  Linear(std::int64_t in, std::int64_t out);
  /// @param x  [...,in]   @return [...,out]
  at::Tensor forward(const at::Tensor& x) const;

  at::Tensor weight, bias;
};

/// A 1x1 convolution that stores its matrix as [in,out] ("network in network"): `W` [in,out], `b` [out].
class Nin : public torch::nn::Module {
 public:
  Nin(std::int64_t in, std::int64_t out, double init_scale = 0.1);
  /// @param x  [B,in,H,W]   @return [B,out,H,W]
  at::Tensor forward(const at::Tensor& x) const;

  at::Tensor W, b;
};

/// Group normalisation over min(C / 4, 32) groups, eps 1e-6: `weight`, `bias` [C]. The statistics are float32.
class GroupNorm : public torch::nn::Module {
 public:
  /// @throws Error{kUsage} unless the groups divide the channels
  explicit GroupNorm(std::int64_t channels);
  /// @param x  [B,C,...]
  at::Tensor forward(const at::Tensor& x) const;
  /// silu(forward(x)), in one pass over memory less where no gradient is wanted.
  at::Tensor forward_silu(const at::Tensor& x) const;

  at::Tensor weight, bias;

 private:
  std::int64_t groups_;
};

/// silu(x), overwriting x where no gradient is wanted: for values that nobody else holds.
at::Tensor silu_consumed(at::Tensor x);

/// (x + h) / sqrt(2), overwriting h where no gradient is wanted.
at::Tensor scaled_sum(const at::Tensor& x, at::Tensor h);

}  // namespace reseda::nn
