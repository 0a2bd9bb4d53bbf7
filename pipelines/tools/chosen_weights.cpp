#include "pipelines/tools/chosen_weights.hpp"

#include <algorithm>
#include <filesystem>

#include "io/record/yaml.hpp"
#include "modules/core/config.hpp"
#include "modules/core/error.hpp"
#include "pipelines/common/config_layers.hpp"
#include "pipelines/tools/plain_text.hpp"

namespace reseda::tools {

io::WeightsConfig default_weights() {
  io::WeightsConfig config;
  config.average = "prefer_ema";
  return config;
}

io::WeightsConfig configured_weights(const std::string& name) {
  io::WeightsConfig config = default_weights();
  const bool is_file = name.ends_with(".yaml") || name.ends_with(".yml");
  const ConfigNode tree = io::read_yaml(is_file ? std::filesystem::path(name) : app::find_config(name));
  const ConfigNode* checkpoint = tree.find("checkpoint");
  const ConfigNode* weights = checkpoint == nullptr ? nullptr : checkpoint->find("weights");
  RESEDA_REQUIRE(weights != nullptr, Errc::kUsage, "config ", name, " has no block checkpoint.weights");
  read_config(*weights, config, "checkpoint.weights");
  return config;
}

void choose_place(io::WeightsConfig& config, const std::string& name, const io::Checkpoint& checkpoint,
                  const std::string& file) {
  const std::vector<io::WeightsPlace> places = io::weights_places(checkpoint);
  const auto found =
      std::find_if(places.begin(), places.end(), [&](const io::WeightsPlace& place) { return place.path == name; });
  if (found != places.end() && found->named) {
    config.container = name;
    config.average = "raw";  // this dictionary as it is, whatever lists of averages are beside it
  } else if (found != places.end() || name == "ema" || name == "raw") {
    config.average = name;
  } else {
    std::string all;
    for (const io::WeightsPlace& place : places) all += ", " + plain_text(place.path);
    reseda::detail::raise(Errc::kUsage, "no weights '", plain_text(name), "' in ", file, " (known: ema, raw", all, ")");
  }
}

io::FoundWeights find_weights(const io::Checkpoint& checkpoint, const io::WeightsConfig& config,
                              const std::string& file, const std::vector<std::string>& wanted) {
  try {
    return io::find_weights(checkpoint, config, wanted);
  } catch (const Error& error) {
    const std::string text = error.what();
    const auto says = [&](const char* key) { return text.find(key) != std::string::npos; };
    const char* hint =
        says("weights.container") || says("weights.average") ? " (here: --weights NAME)"
        : says("weights.prefix")                             ? " (here: --prefix TEXT)"
        : says("list of averages")
            ? " (--config of a published checkpoint may name what it lacks; --weights raw takes no averages)"
            : "";
    throw Error(error.code(), file + ": " + text + hint);
  }
}

std::vector<std::string> names_of(const StateDict& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  return names;
}

std::string found_text(const io::FoundWeights& found) {
  std::string text = found.container == "." ? "the top level" : plain_text(found.container);
  if (!found.average.empty() && found.average != found.container)
    text += " with the averages " + plain_text(found.average);
  if (!found.prefix.empty()) text += ", '" + plain_text(found.prefix) + "' taken off";
  return text + ": " + counted(found.tensors.size(), "tensor");
}

}  // namespace reseda::tools
