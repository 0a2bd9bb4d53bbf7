#include "tests/golden/golden_network.hpp"

namespace reseda::golden {

std::shared_ptr<nets::Network> make_network(const nlohmann::json& model, const StateDict& weights) {
  const std::string backbone = model.at("backbone").get<std::string>();
  ConfigNode settings = ConfigNode::map();
  if (model.contains("backbone_args")) {
    settings = to_config(model["backbone_args"]);
  } else {
    for (const ConfigField& field : find_component(nets::network_entries(), "network", backbone).fields())
      if (model.contains(field.key)) settings[field.key] = to_config(model[field.key]);
  }
  settings["name"] = ConfigNode(backbone);
  std::shared_ptr<nets::Network> network = nets::make_network(settings, "config");
  network->load(weights);
  return network;
}

}  // namespace reseda::golden
