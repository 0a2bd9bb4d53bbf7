#include "modules/nets/cifar_resnet.hpp"

#include "modules/core/error.hpp"

namespace reseda::nets {
namespace {

ResnetLayout layout(const CifarResnetConfig& config) {
  config.validate();
  const std::int64_t blocks = (config.depth - 2) / 6;
  return {.blocks = {blocks, blocks, blocks}, .classes = config.classes, .in_channels = config.in_channels};
}

}  // namespace

void CifarResnetConfig::validate() const {
  RESEDA_REQUIRE(depth >= 8 && depth <= 2000 && depth % 6 == 2, Errc::kUsage,
                 "network.depth must be 6 n + 2 from 8 to 2000, got ", depth);
}

CifarResnet::CifarResnet(const CifarResnetConfig& config) : Resnet(layout(config)) {}

const NetworkEntry& network_entry_cifar_resnet() {
  static const NetworkEntry entry = make_component<Network, CifarResnet, CifarResnetConfig>(
      "cifar_resnet", "ResNet classifier of images of 32 x 32 (ResNet-110 of randomised smoothing)");
  return entry;
}

}  // namespace reseda::nets
