#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "modules/nn/batch_norm.hpp"
#include "modules/nn/plain_layers.hpp"

namespace reseda::nn {

/// A residual block of ResNet, relu(shortcut(x) + branch(x)); the shortcut is the identity or, where size or channels
/// change, `downsample`: a 1x1 convolution with the stride, then batch normalisation.
///   kBasic       branch = bn2(conv2(relu(bn1(conv1 x)))), 3x3 each, the stride in conv1
///   kBottleneck  branch = 1x1, 3x3 with the stride, 1x1 to 4 times the width, each with batch normalisation
/// Source: He et al. 2016, "Deep Residual Learning for Image Recognition".
class ResnetBlock : public torch::nn::Module {
 public:
  enum class Kind { kBasic, kBottleneck };
  ResnetBlock(Kind kind, std::int64_t in, std::int64_t width, std::int64_t stride);
  /// @param x  [B,in,H,W]   @return [B,width or 4 width,H/stride,W/stride]
  at::Tensor forward(const at::Tensor& x);

  static std::int64_t channels(Kind kind, std::int64_t width) { return kind == Kind::kBasic ? width : 4 * width; }

 private:
  std::vector<std::shared_ptr<PlainConv2d>> convs_;  // conv1, conv2, ...
  std::vector<std::shared_ptr<BatchNorm>> norms_;    // bn1, bn2, ...
  std::shared_ptr<PlainConv2d> shortcut_;
  std::shared_ptr<BatchNorm> shortcut_norm_;
};

/// Blocks that follow each other, named 0, 1, ...; the first takes the stride.
class ResnetStage : public torch::nn::Module {
 public:
  ResnetStage(ResnetBlock::Kind kind, std::int64_t in, std::int64_t width, std::int64_t blocks, std::int64_t stride);
  at::Tensor forward(at::Tensor x);

 private:
  std::vector<std::shared_ptr<ResnetBlock>> blocks_;
};

/// A convolution without bias whose weights are N(0, 2 / (k k out)), as ResNet's.
std::shared_ptr<PlainConv2d> resnet_conv(std::int64_t in, std::int64_t out, ConvOptions options);

}  // namespace reseda::nn
