#pragma once

#include <string>
#include <string_view>
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

}  // namespace reseda
