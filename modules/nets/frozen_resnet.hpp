#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "modules/kernels/cpu/fused_conv.hpp"
#include "modules/nets/network.hpp"

namespace reseda::nets {

/// A CifarResnet as it is used on a CPU in float32: its weights are those at the time of construction, batch
/// normalisation with its running statistics m, v lies in the convolution before it,
///   w' = w g / sqrt(v + eps),   b' = beta - m g / sqrt(v + eps),
/// computed in double and rounded once, and the convolutions are fused with what follows them (FusedConv). Logits
/// differ from the network's by rounding alone, and those of an image depend neither on the batch that it is in nor on
/// the number of threads.
class FrozenResnet {
 public:
  /// Whether it can stand for this network on this machine: a CifarResnet on the CPU that computes in float32.
  static bool takes(const Network& network);
  /// @throws Error{kInternal} unless takes(network)
  explicit FrozenResnet(const Network& network);
  /// @param x  [B,C,H,W] float32, normalised   @return logits [B,classes]   @throws Error{kUsage} on another shape
  at::Tensor forward(const at::Tensor& x) const;

 private:
  struct Block {
    kernels::FusedConv first, second;
    std::optional<kernels::FusedConv> shortcut;
  };
  struct Stage {
    std::vector<Block> blocks;
    std::int64_t channels, stride;
  };
  struct Workspace;
  void logits(const float* x, float* out, Workspace& space) const;

  std::vector<Stage> stages_;
  std::optional<kernels::FusedConv> stem_;
  std::int64_t in_channels_;
  at::Tensor fc_weight_, fc_bias_;
};

}  // namespace reseda::nets
