#pragma once

#include <memory>
#include <string>
#include <vector>

#include "modules/core/config.hpp"

namespace reseda {

/// One named component of a kind (process, sampler, network, ...): how it is described, and made from its config.
template <class Product>
struct Component {
  std::string name;
  std::string about;
  /// Makes the component; the tree holds the config without its name. @throws Error{kUsage}
  std::function<std::unique_ptr<Product>(const ConfigNode&, const std::string& path)> make;
  /// The whole config with defaults filled in. @throws Error{kUsage}
  std::function<ConfigNode(const ConfigNode&, const std::string& path)> complete;
  std::function<std::vector<ConfigField>()> fields;
};

/// Describes a component whose type has the constructor `T(Config)` and whose Config is a struct with fields().
template <class Product, class T, class Config>
Component<Product> make_component(std::string name, std::string about) {
  const auto read = [](const ConfigNode& node, const std::string& path) {
    Config config;
    read_config(node, config, path);
    return config;
  };
  return {name, std::move(about),
          [read](const ConfigNode& node, const std::string& path) -> std::unique_ptr<Product> {
            return std::make_unique<T>(read(node, path));
          },
          [read](const ConfigNode& node, const std::string& path) { return write_config(read(node, path)); },
          [] { return list_config(Config{}); }};
}

/// The entry of this name among the generated table. @throws Error{kUsage} with the nearest name
template <class Product>
const Component<Product>& find_component(const std::vector<const Component<Product>*>& entries, const std::string& kind,
                                         const std::string& name) {
  std::vector<std::string> names;
  for (const auto* entry : entries) {
    if (entry->name == name) return *entry;
    names.push_back(entry->name);
  }
  std::string all;
  for (const std::string& known : names) all += (all.empty() ? "" : ", ") + known;
  const std::string near = nearest_name(name, names);
  detail::raise(Errc::kUsage, "unknown ", kind, " '", name, "'",
                near.empty() ? std::string() : "; did you mean '" + near + "'?", " (known: ", all, ")");
}

/// Splits {name: x, ...} into the component's name and the rest.
std::pair<std::string, ConfigNode> split_name(const ConfigNode& node, const std::string& path);

}  // namespace reseda
