#pragma once

#include <cstdint>

#include "modules/nets/resnet.hpp"

namespace reseda::nets {

struct CifarResnetConfig {
  std::int64_t depth = 110;
  std::int64_t classes = 10;
  std::int64_t in_channels = 3;
  template <class V>
  void fields(V& v) {
    v("depth", depth, "layers with weights, 6 n + 2: three stages of n blocks");
    v("classes", classes, "classes that it tells apart");
    v("in_channels", in_channels, "channels of the images");
  }
  /// @throws Error{kUsage} naming the key, what it may be, and its value
  void validate() const;
};

/// ResNet for images of 32 x 32: a stem of 3x3, three stages of basic blocks with 16, 32 and 64 channels.
/// The shortcut into a stage is a 1x1 convolution. Its input is normalised outside (pipelines/certify, ImageInput);
/// official files hold it behind a normalisation without tensors, as "1.".
/// Source: He et al. 2016, "Deep Residual Learning for Image Recognition", Sec. 4.2. Official: locuslab/smoothing,
/// code/archs/cifar_resnet.py.
class CifarResnet final : public Resnet {
 public:
  explicit CifarResnet(const CifarResnetConfig& config);
};

}  // namespace reseda::nets
