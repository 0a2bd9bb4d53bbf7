#include "tests/golden/atd_network.hpp"

#include "tests/golden/golden_case.hpp"

namespace reseda::golden {

std::shared_ptr<nets::Atd> make_atd(const nlohmann::json& settings, const StateDict& weights) {
  nlohmann::json own = settings;
  for (const char* key : {"img_size", "use_checkpoint"}) own.erase(key);  // these do not change what it computes
  nets::AtdConfig config;
  read_config(to_config(own), config, "config.atd");
  auto network = std::make_shared<nets::Atd>(config);
  load_into(weights, network->tensors(), {.allow_missing = {}, .allow_unexpected = {"relative_position_index_SA"}});
  return network;
}

}  // namespace reseda::golden
