#include "pipelines/tools/inspection.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <filesystem>

#include "io/checkpoint/hyper_parameters.hpp"
#include "io/record/json.hpp"
#include "modules/core/config_node.hpp"
#include "modules/core/log.hpp"
#include "modules/core/name_pattern.hpp"
#include "pipelines/common/resources.hpp"
#include "pipelines/tools/chosen_weights.hpp"
#include "pipelines/tools/model_records.hpp"
#include "pipelines/tools/plain_text.hpp"

namespace reseda::tools {
namespace {

using io::ValueKind;
using Pairs = std::vector<std::pair<std::string, std::string>>;

void add_config(const ConfigNode& node, const std::string& path, Pairs& out) {
  if (node.kind() == ConfigNode::Kind::kMap && !node.keys().empty()) {
    for (std::size_t i = 0; i < node.keys().size(); ++i)
      add_config(node.items()[i], path.empty() ? node.keys()[i] : path + "." + node.keys()[i], out);
  } else {
    out.emplace_back(path, node.kind() == ConfigNode::Kind::kScalar ? node.scalar() : node.to_json());
  }
}

/// The values below a container, named from there.
void add_values(const CheckpointTree& tree, std::size_t container, Pairs& out) {
  const std::string prefix = tree.path(container);
  const auto& nodes = tree.nodes();
  for (const std::size_t i : tree.below(container)) {
    const TreeNode& node = nodes[i];
    const bool within_list = node.parent != container && is_plain_list(tree, nodes[node.parent]);
    if (within_list || (is_container(node.kind) && !node.children.empty() && !is_plain_list(tree, node))) continue;
    std::string name = tree.path(i).substr(prefix.size());
    if (!name.empty() && (name.front() == '/' || name.front() == '.')) name.erase(0, 1);
    out.emplace_back(std::move(name), is_container(node.kind) ? list_text(tree, node) : value_text(node, 4096));
  }
}

std::string shell_word(const std::string& text) {
  const auto plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || std::strchr("._-/+=:@%,", c); };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return text;
  std::string out = "'";
  for (const char c : plain_text(text, 4096)) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// Whether the settings name a network as those of the official speech models do.
bool says_backbone(const io::Checkpoint& checkpoint) {
  try {
    const auto settings = io::hyper_parameters(checkpoint);
    return settings && settings->find("backbone") != nullptr;
  } catch (const Error&) {  // settings that are no JSON
    return false;
  }
}

/// The command that uses a file's weights, as far as the file says what it is for.
std::string command_for(const Inspection& inspection, const io::FoundWeights& found) {
  const std::string file = shell_word(inspection.file);
  const std::string config = inspection.configs.size() == 1 ? " --config " + inspection.configs.front() : "";
  if (inspection.checkpoint.metadata.count("reseda.speech") != 0)
    return "reseda speech enhance --model " + file + " RECORDING";
  if (found.prefix.find("dnn.") != std::string::npos || says_backbone(inspection.checkpoint))
    return "reseda speech enhance --checkpoint " + file + config + " RECORDING";
  const bool plain = inspection.checkpoint.format == "safetensors" && found.prefix.empty();
  return plain ? std::string() : "reseda tools convert " + file + " OUT.safetensors" + config;
}

/// Configs whose published files are called as this one.
std::vector<std::string> configs_by_name(const std::string& file) {
  std::vector<std::string> names;
  try {
    for (const ModelRecord& record : published_checkpoints(app::resource_folder("configs")))
      if (matches_any(record.files, std::filesystem::path(file).filename().string())) names.push_back(record.name);
  } catch (const Error& error) {  // a file can be looked at without any configs
    log::debug(error.what());
  }
  return names;
}

}  // namespace

std::string value_text(const TreeNode& node, std::size_t most) {
  switch (node.kind) {
    case ValueKind::kNone:
      return "none";
    case ValueKind::kBool:
      return node.value.boolean() ? "true" : "false";
    case ValueKind::kInteger:
      return io::integer_text(node.value);
    case ValueKind::kFloat:
      return number_text(node.value.real());
    case ValueKind::kText:
      return node.value.text().empty() ? "''" : plain_text(node.value.text(), most);
    case ValueKind::kBytes:
      return counted(node.value.text().size(), "byte");
    default:
      return kind_name(node.kind);
  }
}

bool is_plain_list(const CheckpointTree& tree, const TreeNode& node) {
  const bool list = node.kind == ValueKind::kList || node.kind == ValueKind::kTuple || node.kind == ValueKind::kSet;
  return list && node.same_as == kNoNode &&
         std::none_of(node.children.begin(), node.children.end(), [&](std::size_t child) {
           return is_container(tree.nodes()[child].kind) || tree.nodes()[child].kind == ValueKind::kTensor;
         });
}

std::string list_text(const CheckpointTree& tree, const TreeNode& node) {
  constexpr std::size_t kShown = 8;
  if (!is_plain_list(tree, node)) {
    const bool opaque = node.kind == ValueKind::kOpaque;
    const std::string name = opaque ? "opaque " + plain_text(node.value.text(), 100) : kind_name(node.kind);
    if (node.children.empty()) return opaque ? name : "empty " + name;
    return name + " of " + std::to_string(node.children.size());
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(node.children.size(), kShown); ++i)
    text += (i ? ", " : "") + value_text(tree.nodes()[node.children[i]], 40);
  if (node.children.size() > kShown) text += ", ... (" + std::to_string(node.children.size()) + ")";
  if (node.kind == ValueKind::kTuple) return "(" + text + ")";
  return node.kind == ValueKind::kList ? "[" + text + "]" : "{" + text + "}";
}

bool holds_hyper_parameters(const TreeNode& node) {
  static constexpr std::array<const char*, 12> kNames = {"hyper_parameters",
                                                         "hparams",
                                                         "hyperparameters",
                                                         "config",
                                                         "cfg",
                                                         "conf",
                                                         "args",
                                                         "opt",
                                                         "options",
                                                         "params",
                                                         "settings",
                                                         "datamodule_hyper_parameters"};
  return node.tensors == 0 && !node.children.empty() &&
         (node.kind == ValueKind::kDict || node.kind == ValueKind::kOpaque) &&
         std::find(kNames.begin(), kNames.end(), node.label) != kNames.end() && node.depth == 1;
}

Pairs hyper_parameters(const Inspection& inspection) {
  Pairs out;
  for (const auto& [key, value] : inspection.checkpoint.metadata) {
    const bool settings = key == "hyper_parameters" || key.rfind("reseda.", 0) == 0;
    if (!settings || value.empty() || value.front() != '{') continue;
    try {
      add_config(io::parse_json(value, key), "", out);
    } catch (const Error&) {  // it is shown with the other metadata as it is
    }
  }
  const auto& nodes = inspection.tree.nodes();
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (holds_hyper_parameters(nodes[i])) add_values(inspection.tree, i, out);
  return out;
}

Inspection inspect_file(const std::string& file) {
  io::Checkpoint checkpoint = io::read_checkpoint(file, {.opaque = true});
  CheckpointTree tree(checkpoint, file);
  Inspection out{file, std::move(checkpoint), std::move(tree), {}, "", "", configs_by_name(file), ""};
  out.places = io::weights_places(out.checkpoint);
  try {
    const io::FoundWeights found = io::find_weights(out.checkpoint, default_weights());
    out.chosen = found_text(found);
    out.command = command_for(out, found);
  } catch (const Error& error) {
    out.open_because = plain_text(error.what(), 1000);
  }
  return out;
}

}  // namespace reseda::tools
