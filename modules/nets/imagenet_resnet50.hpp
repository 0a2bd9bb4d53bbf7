#pragma once

#include <cstdint>

#include "modules/nets/resnet.hpp"

namespace reseda::nets {

struct ImagenetResnet50Config {
  std::int64_t classes = 1000;
  template <class V>
  void fields(V& v) {
    v("classes", classes, "classes that it tells apart");
  }
};

/// ResNet-50: a stem of 7x7 with pooling, stages of 3, 4, 6 and 3 bottleneck blocks whose 3x3 convolution has the
/// stride, 25.6 million parameters. Its input is normalised outside, as CifarResnet's.
/// Source: He et al. 2016, "Deep Residual Learning for Image Recognition". Official: torchvision, models/resnet.py;
/// locuslab/smoothing, code/architectures.py.
class ImagenetResnet50 final : public Resnet {
 public:
  explicit ImagenetResnet50(const ImagenetResnet50Config& config);
};

}  // namespace reseda::nets
