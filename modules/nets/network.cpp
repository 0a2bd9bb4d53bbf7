#include "modules/nets/network.hpp"

namespace reseda::nets {

std::vector<StateDict::Entry> Network::tensors() const {
  std::vector<StateDict::Entry> out;
  for (const auto& item : named_parameters()) out.emplace_back(item.key(), item.value());
  for (const auto& item : named_buffers()) out.emplace_back(item.key(), item.value());
  return out;
}

void Network::load(const StateDict& weights) { load_into(weights, tensors()); }

std::shared_ptr<Network> make_network(const ConfigNode& node, const std::string& path) {
  auto [name, rest] = split_name(node, path);
  return find_component(network_entries(), "network", name).make(rest, path);
}

}  // namespace reseda::nets
