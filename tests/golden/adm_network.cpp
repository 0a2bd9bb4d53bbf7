#include "tests/golden/adm_network.hpp"

#include "modules/core/error.hpp"

namespace reseda::golden {

std::shared_ptr<nets::Network> make_adm(const std::string& name, const nlohmann::json& model, const StateDict& weights,
                                        const std::string& torso) {
  ConfigNode settings = ConfigNode::map();
  settings["name"] = ConfigNode(name);
  for (const auto& [key, value] : model.items()) {
    RESEDA_REQUIRE(key != "dims" || value == 2, Errc::kInput, "dims must be 2");
    RESEDA_REQUIRE(key != "use_fp16" || value == false, Errc::kInput, "use_fp16 must be false");
    if (key != "dims" && key != "use_fp16" && key != "use_checkpoint") settings[key] = to_config(value);
  }
  settings["torso"] = ConfigNode(torso);
  std::shared_ptr<nets::Network> network = nets::make_network(settings, "config.model");
  network->load(weights);
  return network;
}

}  // namespace reseda::golden
