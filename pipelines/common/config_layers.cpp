#include "pipelines/common/config_layers.hpp"

#include <algorithm>
#include <cstdio>

#include "io/record/yaml.hpp"
#include "pipelines/common/resources.hpp"

namespace reseda::app {
namespace {

bool is_yaml_name(const std::filesystem::path& path) {
  return path.extension() == ".yaml" || path.extension() == ".yml";
}

void lay(ConfigNode& base, const ConfigNode& over, const std::string& path,
         const std::vector<std::string>& components) {
  if (std::find(components.begin(), components.end(), path) != components.end()) {
    base.merge_component(over);
  } else if (base.kind() == ConfigNode::Kind::kMap && over.kind() == ConfigNode::Kind::kMap) {
    for (std::size_t i = 0; i < over.keys().size(); ++i)
      lay(base[over.keys()[i]], over.items()[i], reseda::detail::join_path(path, over.keys()[i]), components);
  } else if (!over.is_null()) {
    base = over;
  }
}

/// Every shipped config's name, "speech/reseda-16k".
std::vector<std::string> config_names(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (auto entry = std::filesystem::recursive_directory_iterator(folder, error);
       entry != std::filesystem::recursive_directory_iterator(); entry.increment(error)) {
    if (!is_yaml_name(entry->path())) continue;
    names.push_back(entry->path().lexically_relative(folder).replace_extension().generic_string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// Lays KEY=VALUE of --set on the tree. Lists, maps and quoted texts are YAML; anything else is taken as it stands.
void apply_set(ConfigNode& tree, const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  RESEDA_REQUIRE(equals != std::string::npos && equals > 0, Errc::kUsage, "--set needs KEY=VALUE, got '", assignment,
                 "'");
  const std::string key = assignment.substr(0, equals), value = assignment.substr(equals + 1);
  const std::string where = "--set " + key;
  const bool yaml = !value.empty() && std::string_view("[{\"'").find(value.front()) != std::string_view::npos;
  ConfigNode node = yaml ? io::parse_yaml(value, where) : ConfigNode(value);
  node.set_where(where);
  tree.set(key, std::move(node));
  ConfigNode* step = &tree;
  for (std::size_t start = 0; start != std::string::npos;) {
    const std::size_t dot = key.find('.', start);
    step = &(*step)[key.substr(start, dot - start)];
    step->set_where(where);
    start = dot == std::string::npos ? dot : dot + 1;
  }
}

}  // namespace

FlagTable config_flags() {
  const std::string group = "Configuration";
  FlagTable table;
  table
      .add({.name = "config",
            .letter = 'c',
            .word = "FILE|NAME",
            .help = "YAML file, or the name of a shipped config; later ones win",
            .group = group,
            .hint = ValueHint::kFile,
            .repeatable = true})
      .add({.name = "set",
            .letter = 's',
            .word = "KEY=VALUE",
            .help = "set one key, e.g. sampler.steps=10; wins over every file",
            .group = group,
            .repeatable = true})
      .add({.name = "print-config",
            .type = FlagType::kSwitch,
            .help = "print the effective config as YAML and stop",
            .group = group});
  return table;
}

std::filesystem::path find_config(const std::string& name) {
  const std::filesystem::path folder = resource_folder("configs");
  const std::vector<std::string> names = config_names(folder);
  if (std::find(names.begin(), names.end(), name) != names.end()) return folder / (name + ".yaml");
  const std::string near = nearest_name(name, names);
  std::string all;
  for (const std::string& known : names) all += (all.empty() ? "" : ", ") + known;
  reseda::detail::raise(Errc::kUsage, "config '", name, "' is neither a file nor a shipped config",
                        near.empty() ? std::string() : "; did you mean '" + near + "'?", " (known: ", all, ")");
}

void lay_over(ConfigNode& base, const ConfigNode& over, const std::vector<std::string>& components) {
  lay(base, over, "", components);
}

ConfigLayers& ConfigLayers::add(ConfigNode tree) {
  layers_.push_back(std::move(tree));
  return *this;
}

ConfigLayers& ConfigLayers::add_file(const std::string& name_or_path) {
  std::error_code error;
  const bool is_file = is_yaml_name(name_or_path) || std::filesystem::is_regular_file(name_or_path, error);
  return add(io::read_yaml(is_file ? std::filesystem::path(name_or_path) : find_config(name_or_path)));
}

ConfigLayers& ConfigLayers::add_flags(const Flags& flags) {
  for (const std::string& file : flags.list("config")) add_file(file);
  ConfigNode assignments = ConfigNode::map();
  for (const std::string& assignment : flags.list("set")) apply_set(assignments, assignment);
  return add(std::move(assignments));
}

ConfigNode ConfigLayers::merged(const std::vector<std::string>& components) const {
  ConfigNode tree = ConfigNode::map();
  for (const ConfigNode& layer : layers_) {
    RESEDA_REQUIRE(layer.kind() == ConfigNode::Kind::kMap || layer.is_null(), Errc::kUsage,
                   "config: the file must be a group of keys", reseda::detail::place_of(layer));
    lay_over(tree, layer, components);
  }
  return tree;
}

bool printed_config(const Flags& flags, const ConfigNode& effective) {
  if (!flags.on("print-config")) return false;
  std::fputs(effective.to_yaml().c_str(), stdout);
  return true;
}

}  // namespace reseda::app
