#include "tests/golden/swin_network.hpp"

#include <set>
#include <string>

#include "modules/core/error.hpp"

namespace reseda::golden {
namespace {

constexpr std::int64_t kImageChannels = 3;

/// Arguments as settings, without those that must have one value.
ConfigNode settings_of(const nlohmann::json& args, const nlohmann::json& fixed, const std::set<std::string>& ignored) {
  ConfigNode settings = ConfigNode::map();
  for (const auto& [key, value] : args.items()) {
    RESEDA_REQUIRE(!fixed.contains(key) || fixed.at(key) == value, Errc::kInput, key, " must be ",
                   fixed.value(key, nlohmann::json()).dump());
    if (!fixed.contains(key) && ignored.count(key) == 0) settings[key] = to_config(value);
  }
  return settings;
}

}  // namespace

LoadRules swin_buffers() {
  return {.allow_missing = {}, .allow_unexpected = {"*attn_mask", "*relative_position_index"}};
}

std::shared_ptr<nets::Network> make_swin(const nlohmann::json& unet, const StateDict& weights) {
  ConfigNode settings = settings_of(unet, {{"dims", 2}, {"use_fp16", false}}, {"un"});
  settings["name"] = ConfigNode(unet.contains("num_feat") ? "upsr_unet" : "swin_unet");
  if (!unet.contains("lq_size")) {
    settings["in_channels"] = ConfigNode(std::to_string(unet.at("in_channels").get<std::int64_t>() - kImageChannels));
    settings["lq_size"] = to_config(unet.at("image_size"));
  }
  std::shared_ptr<nets::Network> network = nets::make_network(settings, "config.unet");
  load_into(weights, network->tensors(), swin_buffers());
  return network;
}

std::shared_ptr<nets::VqF4> make_vq(const nlohmann::json& vq, const StateDict& weights) {
  ConfigNode settings = settings_of(vq.at("ddconfig"), {{"padding_mode", "zeros"}}, {"resolution"});
  for (const char* key : {"embed_dim", "n_embed"}) settings[key] = to_config(vq.at(key));
  nets::VqF4Config config;
  read_config(settings, config, "config.vq");
  auto network = std::make_shared<nets::VqF4>(config);
  load_into(weights, network->tensors());
  return network;
}

}  // namespace reseda::golden
