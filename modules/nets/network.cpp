#include "modules/nets/network.hpp"

namespace reseda::nets {

void Network::load(const StateDict& weights) { load_into(weights, tensors()); }

std::shared_ptr<Network> make_network(const ConfigNode& node, const std::string& path) {
  auto [name, rest] = split_name(node, path);
  return find_component(network_entries(), "network", name).make(rest, path);
}

}  // namespace reseda::nets
