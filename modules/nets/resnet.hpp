#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "modules/nets/network_module.hpp"
#include "modules/nn/residual_block.hpp"
#include "modules/nn/resnet_block.hpp"

namespace reseda::nets {

/// What tells one ResNet from another.
struct ResnetLayout {
  nn::ResnetBlock::Kind block = nn::ResnetBlock::Kind::kBasic;
  std::int64_t stem_width = 16;
  bool large_stem = false;           ///< 7x7 of stride 2 with a pooling by 2; else 3x3
  std::vector<std::int64_t> blocks;  ///< of each stage; stages after the first halve the size and double the width
  std::int64_t classes = 10;
  std::int64_t in_channels = 3;
};

/// A classifier of normalised images: stem, stages `layer1`, `layer2`, ..., mean over the map, linear layer `fc`. It
/// begins in evaluation mode; in training mode (train()) batch normalisation takes the batch's statistics.
class Resnet : public NetworkModule {
 public:
  /// @throws Error{kUsage} unless there are 1 to 1000000 classes and 1 to 64 channels of images
  explicit Resnet(const ResnetLayout& layout);
  /// @param x  [B,in_channels,H,W], normalised per channel   @param y, t  not looked at   @return logits [B,classes]
  /// float32
  at::Tensor forward(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) override;

  /// Lets a test see the parts by their names in the state dictionary.
  void set_probe(nn::Probe probe) { probe_ = std::move(probe); }

 private:
  bool large_stem_;
  std::int64_t in_channels_;
  nn::Probe probe_;
  std::shared_ptr<nn::PlainConv2d> conv1_;
  std::shared_ptr<nn::BatchNorm> bn1_;
  std::vector<std::shared_ptr<nn::ResnetStage>> stages_;
  std::shared_ptr<nn::PlainLinear> fc_;
};

}  // namespace reseda::nets
