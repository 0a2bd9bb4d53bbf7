#include "pipelines/speech/checkpoint_model.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "io/checkpoint/checkpoint.hpp"
#include "io/checkpoint/hyper_parameters.hpp"
#include "modules/core/log.hpp"
#include "pipelines/speech/official_model.hpp"

namespace reseda::speech {
namespace {

/// Lays keys of SpeechModelConfig on others: its components by name, its groups key by key.
void lay_model(ConfigNode& base, const ConfigNode& over) {
  for (std::size_t i = 0; i < over.keys().size(); ++i) {
    const std::string& key = over.keys()[i];
    if (key == "network" || key == "process" || key == "sampler")
      base[key].merge_component(over.items()[i]);
    else
      base[key].merge(over.items()[i]);
  }
}

bool same_scalar(const std::string& a, const std::string& b) {
  if (a == b) return true;
  double x = 0, y = 0;
  const auto parsed = [](const std::string& text, double& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
  };
  return parsed(a, x) && parsed(b, y) && x == y;
}

/// Paths at which both trees have values that differ, with both.
void list_differences(const ConfigNode& config, const ConfigNode& file, const std::string& path,
                      std::vector<std::string>& out) {
  if (file.kind() == ConfigNode::Kind::kMap) {
    for (std::size_t i = 0; i < file.keys().size(); ++i)
      if (const ConfigNode* other = config.find(file.keys()[i]))
        list_differences(*other, file.items()[i], detail::join_path(path, file.keys()[i]), out);
    return;
  }
  const bool scalars = config.kind() == ConfigNode::Kind::kScalar && file.kind() == ConfigNode::Kind::kScalar;
  const bool same = scalars ? same_scalar(config.scalar(), file.scalar()) : config.to_json() == file.to_json();
  if (!same && !config.is_null()) out.push_back(path + " " + config.to_json() + " (file: " + file.to_json() + ")");
}

void warn_of_differences(const std::string& file, const ConfigNode& config, const ConfigNode& trained) {
  std::vector<std::string> differences;
  list_differences(config, trained, "model", differences);
  if (differences.empty()) return;
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(differences.size(), 3); ++i)
    text += (i ? ", " : "") + differences[i];
  log::warning(file, ": the config is not that of this file, whose own hyper-parameters are used: ", text,
               differences.size() > 3 ? ", ..." : "");
}

/// The settings of an SGMSE+ model that the file holds; nothing for other files.
std::optional<OfficialModel> official_model(const io::Checkpoint& checkpoint) {
  const std::optional<ConfigNode> hyper = io::hyper_parameters(checkpoint);
  if (!hyper || hyper->kind() != ConfigNode::Kind::kMap || hyper->find("backbone") == nullptr) return std::nullopt;
  return read_official_model(*hyper);
}

SpeechModelConfig model_config(const std::string& file, const io::Checkpoint& checkpoint,
                               const PublishedCheckpoint& published, const ModelLayers& layers) {
  const std::optional<OfficialModel> official = official_model(checkpoint);
  ConfigNode tree = ConfigNode::map();
  tree.set("name", ConfigNode(published.name.empty() ? std::filesystem::path(file).stem().string() : published.name));
  tree.set("licence", ConfigNode(published.licence));
  if (official) lay_model(tree, official->defaults);
  lay_model(tree, layers.config);
  if (official) {
    warn_of_differences(file, layers.config, official->trained);
    lay_model(tree, official->trained);
  }
  lay_model(tree, layers.overrides);
  for (const char* key : {"network", "process"})
    RESEDA_REQUIRE(tree.find(key) != nullptr && tree.find(key)->find("name") != nullptr, Errc::kCheckpoint,
                   "holds no hyper-parameters that say which ", key,
                   " its weights are of; give a config that does, e.g. --config speech/sgmse-vb-dmd");
  SpeechModelConfig config;
  read_config(tree, config, "model");
  return config;
}

SpeechModel build(const std::string& file, const PublishedCheckpoint& published, const ModelLayers& layers) {
  const io::Checkpoint checkpoint = io::read_checkpoint(file, {.opaque = true});
  io::require_known_classes(checkpoint, published.weights);
  SpeechModelConfig config = model_config(file, checkpoint, published, layers);
  // Which tensors are its weights follows from the network's names, so the whole file bounds its size.
  SpeechModel model = SpeechModel::within(std::move(config), checkpoint.file_bytes);
  std::vector<std::string> names;
  const std::vector<StateDict::Entry> targets = model.network().tensors();
  for (const auto& [name, tensor] : targets) names.push_back(name);
  const io::FoundWeights found = io::find_weights(checkpoint, published.weights, names);
  const LoadReport report = load_into(found.tensors, targets, published.weights.rules());
  // A file that reseda converted says where its weights came from.
  const bool converted = checkpoint.metadata.count("reseda.source_weights") != 0;
  if (found.average.empty() && published.weights.average == "prefer_ema" && !converted)
    log::warning(file, ": holds no running average (EMA) of the weights; its raw weights are used");
  log::info(file, ": ", report.summary(), "; from ", found.container == "." ? "the top level" : found.container,
            found.prefix.empty() ? "" : ", prefix " + found.prefix,
            found.average.empty() ? "" : ", averages of " + found.average);
  return model;
}

}  // namespace

io::WeightsConfig official_weights() {
  io::WeightsConfig weights;
  weights.average = "prefer_ema";
  weights.frozen = {"all_modules.0.W"};
  weights.classes = {"sgmse.*", "pytorch_lightning.*", "lightning.*", "lightning_fabric.*", "argparse.Namespace"};
  weights.allow_unexpected = {"pesq_loss.*"};
  return weights;
}

SpeechModel load_checkpoint(const std::filesystem::path& file, const PublishedCheckpoint& published,
                            const ModelLayers& layers) {
  const std::string name = file.string();
  const auto with_name = [&name](const std::string& message) {
    return message.starts_with(name) ? message : name + ": " + message;
  };
  try {
    return build(name, published, layers);
  } catch (const Error& error) {
    throw Error(error.code() == Errc::kUsage ? Errc::kCheckpoint : error.code(), with_name(error.what()));
  } catch (const c10::Error& error) {
    throw Error(Errc::kCheckpoint, with_name(error.what_without_backtrace()));
  }
}

}  // namespace reseda::speech
