#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>

namespace reseda::nn {

/// Batch normalisation per channel, eps 1e-5: `weight`, `bias` and the buffers `running_mean`, `running_var` [C],
/// `num_batches_tracked`. While the module trains it takes the statistics of the batch and lets the running ones follow
/// with weight 0.1 (the variance with Bessel's correction); else it takes the running ones.
/// Source: Ioffe & Szegedy 2015, "Batch Normalization".
class BatchNorm : public torch::nn::Module {
 public:
  explicit BatchNorm(std::int64_t channels);
  /// @param x  [B,C,...]
  at::Tensor forward(const at::Tensor& x);

  at::Tensor weight, bias, running_mean, running_var, num_batches_tracked;
};

}  // namespace reseda::nn
