#include "modules/nets/imagenet_resnet50.hpp"

namespace reseda::nets {

ImagenetResnet50::ImagenetResnet50(const ImagenetResnet50Config& config)
    : Resnet({.block = nn::ResnetBlock::Kind::kBottleneck,
              .stem_width = 64,
              .large_stem = true,
              .blocks = {3, 4, 6, 3},
              .classes = config.classes}) {}

const NetworkEntry& network_entry_imagenet_resnet50() {
  static const NetworkEntry entry =
      make_component<Network, ImagenetResnet50, ImagenetResnet50Config>("imagenet_resnet50", "ResNet-50 classifier");
  return entry;
}

}  // namespace reseda::nets
