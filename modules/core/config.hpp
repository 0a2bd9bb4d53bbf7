#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "modules/core/error.hpp"

namespace reseda {

/// A config as text in a tree: what YAML, JSON and `--set` become before a struct reads it. Key order is kept.
class ConfigNode {
 public:
  enum class Kind { kNull, kScalar, kList, kMap };

  ConfigNode() = default;
  explicit ConfigNode(std::string scalar) : kind_(Kind::kScalar), scalar_(std::move(scalar)) {}
  static ConfigNode list() { return ConfigNode(Kind::kList); }
  static ConfigNode map() { return ConfigNode(Kind::kMap); }

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::kNull; }
  const std::string& scalar() const { return scalar_; }
  const std::vector<ConfigNode>& items() const { return items_; }
  const std::vector<std::string>& keys() const { return keys_; }

  /// The child of a map, or nullptr.
  const ConfigNode* find(std::string_view key) const;
  /// The child of a map, made as null where absent; a null node becomes a map.
  ConfigNode& operator[](const std::string& key);
  void append(ConfigNode item);

  /// Lays `over` on top: maps merge key by key, everything else is replaced.
  void merge(const ConfigNode& over);
  /// The same for a component {name: x, ...}: here and below, a map whose "name" differs replaces the old one whole, so
  /// that a component does not inherit another one's keys.
  void merge_component(const ConfigNode& over);
  /// Sets "a.b.c" to a value in YAML flow form: a scalar or a list "[1, 2]". @throws Error{kUsage} on a bad path.
  void set(const std::string& dotted_path, const std::string& value);
  void set(const std::string& dotted_path, ConfigNode value);

  std::string to_json(int indent = -1) const;
  std::string to_yaml() const;

  /// Where the node was read, e.g. "speech.yaml:12"; "" when unknown. Messages name it.
  const std::string& where() const { return where_; }
  void set_where(std::string where) { where_ = std::move(where); }

 private:
  explicit ConfigNode(Kind kind) : kind_(kind) {}
  Kind kind_ = Kind::kNull;
  std::string scalar_, where_;
  std::vector<std::string> keys_;
  std::vector<ConfigNode> items_;
};

/// The nearest of the candidates by edit distance, or "" when none is close.
std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates);

/// The text as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
std::string json_quoted(std::string_view text);

/// Text of a number that reads back to the same double.
std::string number_text(double value);

namespace detail {
void read_scalar(const ConfigNode& node, const std::string& path, bool& out);
void read_scalar(const ConfigNode& node, const std::string& path, std::int64_t& out);
void read_scalar(const ConfigNode& node, const std::string& path, double& out);
void read_scalar(const ConfigNode& node, const std::string& path, std::string& out);
std::string place_of(const ConfigNode& node);  // " (file:line)" or ""
std::string scalar_text(bool value);
std::string scalar_text(std::int64_t value);
std::string scalar_text(double value);
std::string scalar_text(const std::string& value);
void check_keys(const ConfigNode& node, const std::string& path, const std::vector<std::string>& known);
inline std::string join_path(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}
template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
struct AnyVisitor {
  template <class T>
  void operator()(const char*, T&, const char*) {}
};
template <class T>
concept HasFields = requires(T t, AnyVisitor v) { t.fields(v); };
}  // namespace detail

/// Reads a plain config struct from a tree. Fields that the tree lacks keep their value; an unknown key is an error with
/// a suggestion. A struct offers `template <class V> void fields(V& v) { v("steps", steps, "what it is"); }` with members
/// of type bool, std::int64_t, double, std::string, vectors of these, ConfigNode (read later by a component), or further
/// such structs; `validate()`, where present, is called at the end.
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
