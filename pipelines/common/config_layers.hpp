#pragma once

#include <filesystem>
#include <string>
#include <type_traits>
#include <vector>

#include "modules/core/config.hpp"
#include "pipelines/common/flags.hpp"

namespace reseda::app {

/// --config FILE|NAME (repeatable), --set KEY=VALUE (repeatable), --print-config.
FlagTable config_flags();

/// The file of a shipped config, e.g. "speech/reseda-16k": below $RESEDA_CONFIGS, else ../share/reseda/configs beside
/// the program, else configs/ of the source tree it was built from. @throws Error{kUsage} with the nearest name
std::filesystem::path find_config(const std::string& name);

/// Lays `over` on `base`: maps merge key by key, everything else is replaced. At and below the paths in `components`
/// (dotted; config structs declare them by a ConfigNode member), a map whose "name" differs replaces the one below it
/// whole, so that another sampler does not inherit this one's keys.
void lay_over(ConfigNode& base, const ConfigNode& over, const std::vector<std::string>& components);

namespace detail {
/// Lists the dotted paths of a config struct's ConfigNode members.
struct ComponentLister {
  std::string prefix;
  std::vector<std::string>& out;
  template <class T>
  void operator()(const char* key, T& value, const char* /*help*/) {
    const std::string path = reseda::detail::join_path(prefix, key);
    if constexpr (std::is_same_v<T, ConfigNode>) {
      out.push_back(path);
    } else if constexpr (reseda::detail::HasFields<T>) {
      ComponentLister nested{path, out};
      value.fields(nested);
    }
  }
};
}  // namespace detail

/// Config trees in rising precedence: struct defaults < named configs and model metadata < --config < --set.
class ConfigLayers {
 public:
  /// A tree from elsewhere, e.g. a model file's metadata.
  ConfigLayers& add(ConfigNode tree);
  /// A shipped config by name, or a YAML file by path. @throws Error{kUsage} with file, line and rule
  ConfigLayers& add_file(const std::string& name_or_path);
  /// --config and --set of the command line (config_flags).
  ConfigLayers& add_flags(const Flags& flags);

  ConfigNode merged(const std::vector<std::string>& components) const;

  /// @throws Error{kUsage} naming the key, and the file and line it came from
  template <class Config>
  Config read(Config config = {}) const {
    std::vector<std::string> components;
    detail::ComponentLister lister{"", components};
    config.fields(lister);
    ConfigNode tree = write_config(config);
    lay_over(tree, merged(components), components);
    read_config(tree, config);
    return config;
  }

 private:
  std::vector<ConfigNode> layers_;
};

/// With --print-config: prints the effective config as YAML that --config reads back, and returns true (the verb is
/// done).
bool printed_config(const Flags& flags, const ConfigNode& effective);

}  // namespace reseda::app
