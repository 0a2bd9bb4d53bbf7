#pragma once

#include <memory>

#include "modules/nets/network.hpp"
#include "tests/golden/golden_case.hpp"

namespace reseda::golden {

/// The network that a json describes, with the given weights: either {backbone, backbone_args} or the flat settings of
/// a whole model, from which the keys that the network knows are taken.
/// @throws Error{kUsage} on settings the network rejects, Error{kCheckpoint} unless names and shapes match
std::shared_ptr<nets::Network> make_network(const nlohmann::json& model, const StateDict& weights);

}  // namespace reseda::golden
