#include "tests/golden/rrcm_network.hpp"

#include "modules/core/error.hpp"

namespace reseda::golden {

nets::RrcmVitConfig rrcm_config(const nlohmann::json& config, std::int64_t classes) {
  return {.image_size = config.at("image_size"),
          .patch_size = config.at("patch_size"),
          .embed_dim = config.at("embed_dim"),
          .hidden_dim = config.at("hidden_dim"),
          .output_dim = config.at("output_dim"),
          .depth = config.at("depth"),
          .num_heads = config.at("num_heads"),
          .classes = classes,
          .layernorm = config.value("layernorm", true)};
}

std::shared_ptr<nets::RrcmVit> make_rrcm(const nlohmann::json& config, std::int64_t classes, const StateDict& weights) {
  const auto network = std::make_shared<nets::RrcmVit>(rrcm_config(config, classes));
  load_into(weights, network->tensors(), LoadRules{.allow_missing = {"*num_batches_tracked"}, .allow_unexpected = {}});
  return network;
}

at::Tensor tensor_of(const nets::Network& network, const std::string& name) {
  for (const auto& [key, tensor] : network.tensors())
    if (key == name) return tensor;
  RESEDA_REQUIRE(false, Errc::kInput, "the network has no tensor ", name);
  return {};
}

}  // namespace reseda::golden
