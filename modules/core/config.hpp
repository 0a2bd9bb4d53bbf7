#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "modules/core/config_node.hpp"
#include "modules/core/config_scalars.hpp"
#include "modules/core/error.hpp"

namespace reseda {

/// Reads a plain config struct from a tree. Fields that the tree lacks keep their value; an unknown key is an error
/// with a suggestion. A struct offers `template <class V> void fields(V& v) { v("steps", steps, "what it is"); }` with
/// members of type bool, std::int64_t, double, std::string, vectors of these, ConfigNode (read later by a component),
/// or further such structs; `validate()`, where present, is called at the end.
class ConfigReader {
 public:
  ConfigReader(const ConfigNode& node, std::string path) : node_(node), path_(std::move(path)) {}

  template <class T>
  void operator()(const char* key, T& value, const char* /*help*/) {
    known_.push_back(key);
    const ConfigNode* child = node_.find(key);
    if (child == nullptr || child->is_null()) return;
    read(*child, detail::join_path(path_, key), value);
  }

  template <class T>
  static void read(const ConfigNode& node, const std::string& path, T& value) {
    if constexpr (std::is_same_v<T, ConfigNode>) {
      value.merge_component(node);
    } else if constexpr (detail::HasFields<T>) {
      ConfigReader reader(node, path);
      value.fields(reader);
      detail::check_keys(node, path, reader.known_);
      if constexpr (requires { value.validate(); }) value.validate();
    } else if constexpr (detail::is_vector<T>::value) {
      RESEDA_REQUIRE(node.kind() == ConfigNode::Kind::kList, Errc::kUsage, "config: ", path,
                     " must be a list like [1, 2]", detail::place_of(node));
      T items;
      for (const ConfigNode& item : node.items()) {
        typename T::value_type element{};
        read(item, path, element);
        items.push_back(std::move(element));
      }
      value = std::move(items);
    } else {
      detail::read_scalar(node, path, value);
    }
  }

 private:
  const ConfigNode& node_;
  std::string path_;
  std::vector<std::string> known_;
};

/// Writes a config struct into a tree that ConfigReader reads back to the same struct.
class ConfigWriter {
 public:
  template <class T>
  void operator()(const char* key, T& value, const char* /*help*/) {
    node_[key] = write(value);
  }

  template <class T>
  static ConfigNode write(T& value) {
    if constexpr (std::is_same_v<T, ConfigNode>) {
      return value;
    } else if constexpr (detail::HasFields<T>) {
      ConfigWriter writer;
      value.fields(writer);
      return writer.node_;
    } else if constexpr (detail::is_vector<T>::value) {
      ConfigNode list = ConfigNode::list();
      for (auto&& item : value) {
        typename T::value_type copy = item;
        list.append(write(copy));
      }
      return list;
    } else {
      return ConfigNode(detail::scalar_text(value));
    }
  }

 private:
  ConfigNode node_ = ConfigNode::map();
};

/// One line of `--help-config`: dotted key, default as text, what it is.
struct ConfigField {
  std::string key, value, help;
};

/// Lists the fields of a struct with their current values.
class ConfigLister {
 public:
  explicit ConfigLister(std::string prefix = "") : prefix_(std::move(prefix)) {}
  template <class T>
  void operator()(const char* key, T& value, const char* help) {
    const std::string path = detail::join_path(prefix_, key);
    if constexpr (detail::HasFields<T>) {
      ConfigLister nested(path);
      value.fields(nested);
      fields_.insert(fields_.end(), nested.fields_.begin(), nested.fields_.end());
    } else {
      const ConfigNode node = ConfigWriter::write(value);
      fields_.push_back({path, node.kind() == ConfigNode::Kind::kScalar ? node.scalar() : node.to_json(), help});
    }
  }
  const std::vector<ConfigField>& fields() const { return fields_; }

 private:
  std::string prefix_;
  std::vector<ConfigField> fields_;
};

/// Reads `config` from the tree; `path` names it in messages. @throws Error{kUsage}
template <class Config>
void read_config(const ConfigNode& node, Config& config, const std::string& path = "") {
  ConfigReader::read(node, path, config);
}

template <class Config>
ConfigNode write_config(const Config& config) {
  Config copy = config;
  return ConfigWriter::write(copy);
}

template <class Config>
std::vector<ConfigField> list_config(const Config& config, const std::string& prefix = "") {
  Config copy = config;
  ConfigLister lister(prefix);
  copy.fields(lister);
  return lister.fields();
}

}  // namespace reseda
