#include "modules/nets/network.hpp"

#include "modules/core/error.hpp"

namespace reseda::nets {

at::Tensor Network::forward_given(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t,
                                  const at::Tensor& estimate) {
  RESEDA_REQUIRE(!estimate.defined(), Errc::kUsage, "this network takes no earlier estimate of x0");
  return forward(x, y, t);
}

at::Tensor Network::forward_labelled(const at::Tensor& x, const at::Tensor& y, const at::Tensor& t,
                                     const at::Tensor& labels) {
  RESEDA_REQUIRE(!labels.defined(), Errc::kUsage, "this network takes no class");
  return forward(x, y, t);
}

void Network::load(const StateDict& weights) { load_into(weights, tensors()); }

std::shared_ptr<Network> make_network(const ConfigNode& node, const std::string& path) {
  auto [name, rest] = split_name(node, path);
  return find_component(network_entries(), "network", name).make(rest, path);
}

}  // namespace reseda::nets
