#include "modules/core/error.hpp"
#include "modules/nets/ncsnpp.hpp"

namespace reseda::nets {
namespace {

/// The variant without division by t and without recentring: both are left to the model around it (network_scaling,
/// c_in).
struct NcsnppV2Config : NcsnppConfig {
  NcsnppV2Config() { scale_by_sigma = false; }
  void validate() const {
    NcsnppConfig::validate();
    RESEDA_REQUIRE(!scale_by_sigma, Errc::kUsage, "network.scale_by_sigma must be false for ncsnpp_v2");
    RESEDA_REQUIRE(centered, Errc::kUsage, "network.centered must be true for ncsnpp_v2");
  }
};

struct NcsnppV2 final : Ncsnpp {
  explicit NcsnppV2(const NcsnppConfig& config) : Ncsnpp(config, TimeDivision::kNone) {}
};

}  // namespace

const NetworkEntry& network_entry_ncsnpp_v2() {
  static const NetworkEntry entry = make_component<Network, NcsnppV2, NcsnppV2Config>(
      "ncsnpp_v2", "NCSN++ of the Schroedinger bridge and of SGMSE+ with configurable scaling");
  return entry;
}

}  // namespace reseda::nets
