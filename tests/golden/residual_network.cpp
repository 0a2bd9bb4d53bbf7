#include "tests/golden/residual_network.hpp"

#include <ATen/ATen.h>

#include <set>
#include <string>

#include "modules/core/error.hpp"
#include "modules/nets/rddm_unet.hpp"
#include "modules/nets/resfusion_ddim_unet.hpp"
#include "modules/nets/resfusion_dit.hpp"

namespace reseda::golden {
namespace {

/// Reads official constructor arguments and refuses those nobody asked for.
class Arguments {
 public:
  explicit Arguments(const nlohmann::json& ctor) : ctor_(ctor) {}

  template <class T>
  T get(const char* key, T fallback) {
    known_.insert(key);
    return ctor_.contains(key) && !ctor_[key].is_null() ? ctor_[key].get<T>() : fallback;
  }
  /// Copies the argument into the settings, where it is given.
  void pass(const char* key, nlohmann::json& settings) {
    known_.insert(key);
    if (ctor_.contains(key) && !ctor_[key].is_null()) settings[key] = ctor_[key];
  }
  void require(const char* key, const nlohmann::json& value) {
    known_.insert(key);
    RESEDA_REQUIRE(!ctor_.contains(key) || ctor_[key].is_null() || ctor_[key] == value, Errc::kInput, "ctor.", key,
                   " must be ", value.dump(), ", got ", ctor_[key].dump());
  }
  void finish() const {
    for (const auto& [key, value] : ctor_.items())
      RESEDA_REQUIRE(known_.count(key) == 1, Errc::kInput, "ctor.", key, " is not known");
  }

 private:
  const nlohmann::json& ctor_;
  std::set<std::string> known_;
};

std::int64_t condition_of_rddm(Arguments& ctor) {
  const std::int64_t channels = ctor.get<std::int64_t>("channels", 3);
  const bool shown = ctor.get("condition", false) && !ctor.get("img_to_img_translation", false);
  return channels * ((shown ? 1 : 0) + (ctor.get("input_condition", false) ? 1 : 0));
}

std::int64_t condition_of_resfusion(Arguments& ctor) {
  std::int64_t count = 0;
  const std::int64_t input = ctor.get<std::int64_t>("input_condition_channels", 3);
  const std::int64_t mask = ctor.get<std::int64_t>("mask_condition_channels", 2);
  if (ctor.get("input_condition", false)) count += input;
  if (ctor.get("mask_condition", false)) count += mask;
  return count;
}

void pass_unet(Arguments& ctor, nlohmann::json& settings) {
  for (const char* key : {"dim", "dim_mults", "channels", "out_dim", "self_condition", "resnet_block_groups"})
    ctor.pass(key, settings);
  ctor.require("init_dim", settings["dim"]);
  for (const char* key : {"learned_variance", "learned_sinusoidal_cond", "random_fourier_features"})
    ctor.require(key, false);
  ctor.get<std::int64_t>("learned_sinusoidal_dim", 16);
}

void pass_nets(Arguments& ctor, const nlohmann::json& config, nlohmann::json& settings) {
  ctor.get<std::string>("objective", "");
  ctor.get<std::string>("test_res_or_noise", "");
  if (config.value("variant", "E2") == "E2") {
    const int share = ctor.get("share_encoder", 1);
    settings["nets"] = share == 0 ? "two" : share == 1 ? "shared" : "one";
  } else {
    settings["nets"] = ctor.get("num_unet", 1) == 2 ? "two" : "one";
  }
}

nlohmann::json settings_of(const nlohmann::json& config, Arguments& ctor) {
  const std::string type = config.at(config.contains("class") ? "class" : "net").get<std::string>();
  nlohmann::json settings;
  if (type == "UnetRes" || type == "Unet" || type == "RDDM_Unet") {
    pass_unet(ctor, settings);
    settings["name"] = type == "UnetRes" ? "rddm_unet" : "resfusion_unet";
    settings["condition_channels"] = type == "RDDM_Unet" ? condition_of_resfusion(ctor) : condition_of_rddm(ctor);
    if (type == "UnetRes") pass_nets(ctor, config, settings);
  } else if (type == "DDIM_Unet") {
    settings["name"] = "resfusion_ddim_unet";
    for (const char* key : {"image_size", "ch", "ch_mult", "num_res_blocks", "attn_resolutions", "channels"})
      ctor.pass(key, settings);
    ctor.get("dropout", 0.0);
    ctor.require("resamp_with_conv", true);
    settings["condition_channels"] = condition_of_resfusion(ctor);
  } else if (type == "DiT") {
    settings["name"] = "resfusion_dit";
    for (const char* key : {"input_size", "patch_size", "hidden_size", "depth", "num_heads", "mlp_ratio", "channels"})
      ctor.pass(key, settings);
    settings["condition_channels"] = condition_of_resfusion(ctor);
  } else {
    detail::raise(Errc::kInput, "network class '", type, "' is not known");
  }
  ctor.finish();
  return settings;
}

template <class Network>
bool give_probe(nets::Network& network, const nn::Probe& probe) {
  auto* known = dynamic_cast<Network*>(&network);
  if (known != nullptr) known->set_probe(probe);
  return known != nullptr;
}

}  // namespace

std::pair<at::Tensor, at::Tensor> ResidualNetwork::split(const at::Tensor& joined) const {
  RESEDA_REQUIRE(joined.size(1) == channels + condition_channels, Errc::kInput, "the joined input has ", joined.size(1),
                 " channels, expected ", channels + condition_channels);
  if (condition_channels == 0) return {joined, {}};
  return {joined.narrow(1, 0, channels), joined.narrow(1, channels, condition_channels)};
}

void ResidualNetwork::set(const nlohmann::json& settings) const {
  auto* rddm = dynamic_cast<nets::RddmUnet*>(network.get());
  for (const auto& [key, value] : settings.items()) {
    RESEDA_REQUIRE(rddm != nullptr && (key == "test_res_or_noise" || key == "objective"), Errc::kInput, "setting '",
                   key, "' is not known");
    if (key == "test_res_or_noise")
      rddm->set_heads(value == "res"     ? nets::Heads::kFirst
                      : value == "noise" ? nets::Heads::kSecond
                                         : nets::Heads::kBoth);
    // The noise net alone takes the second time, every other one the first; both nets take their own.
    if (key == "objective" && rddm->heads() == 1)
      rddm->set_heads(value == "pred_noise" ? nets::Heads::kSecond : nets::Heads::kFirst);
  }
}

void ResidualNetwork::set_probe(const nn::Probe& probe) const {
  const bool known = give_probe<nets::RddmUnet>(*network, probe) || give_probe<nets::ResidualUnet>(*network, probe) ||
                     give_probe<nets::ResfusionDdimUnet>(*network, probe) ||
                     give_probe<nets::ResfusionDit>(*network, probe);
  RESEDA_INVARIANT(known);
}

ResidualNetwork make_residual_network(const nlohmann::json& config) {
  Arguments ctor(config.at("ctor"));
  const nlohmann::json settings = settings_of(config, ctor);
  ResidualNetwork made;
  made.network = nets::make_network(to_config(settings), "config");
  made.channels = settings.value("channels", std::int64_t{3});
  made.condition_channels = settings.at("condition_channels").get<std::int64_t>();
  nlohmann::json initial = nlohmann::json::object();
  if (settings.value("nets", "") == "one")
    initial["objective"] = config["ctor"].value("objective", "pred_res_noise");
  else if (settings.value("nets", "") == "two")
    initial["test_res_or_noise"] = config["ctor"].value("test_res_or_noise", "res_noise");
  made.set(initial);
  return made;
}

ResidualNetwork make_residual_network(const nlohmann::json& config, const StateDict& weights) {
  ResidualNetwork made = make_residual_network(config);
  made.network->load(weights);
  return made;
}

}  // namespace reseda::golden
