#include "modules/nets/residual_unet.hpp"

namespace reseda::nets {

const NetworkEntry& network_entry_resfusion_unet() {
  static const NetworkEntry entry = make_component<Network, ResidualUnet, ResidualUnetConfig>(
      "resfusion_unet", "U-Net of Resfusion for restoration, with or without a mask");
  return entry;
}

}  // namespace reseda::nets
