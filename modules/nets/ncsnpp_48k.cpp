#include "modules/nets/ncsnpp.hpp"

namespace reseda::nets {
namespace {

struct Ncsnpp48kConfig : NcsnppConfig {
  Ncsnpp48kConfig() {
    attn_resolutions = {};
    image_size = 768;
    progressive = "none";
    progressive_input = "none";
  }
};

struct Ncsnpp48k final : Ncsnpp {
  explicit Ncsnpp48k(const NcsnppConfig& config) : Ncsnpp(config, TimeDivision::kAfterHead) {}
};

}  // namespace

const NetworkEntry& network_entry_ncsnpp_48k() {
  static const NetworkEntry entry = make_component<Network, Ncsnpp48k, Ncsnpp48kConfig>(
      "ncsnpp_48k", "NCSN++ of SGMSE+, 48 kHz, without pyramids; its output is minus the score");
  return entry;
}

}  // namespace reseda::nets
