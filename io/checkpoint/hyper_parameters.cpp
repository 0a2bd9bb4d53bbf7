#include "io/checkpoint/hyper_parameters.hpp"

#include "io/record/json.hpp"
#include "modules/core/config.hpp"

namespace reseda::io {
namespace {

constexpr int kDeepest = 8;
constexpr int kMostValues = 10000;
constexpr std::size_t kLongestText = 4096;
constexpr const char* kKey = "hyper_parameters";

/// Converts with one count for the whole tree, so that a value that holds itself ends.
class Converter {
 public:
  /// Nothing for what a config cannot say.
  std::optional<ConfigNode> convert(const Value& value, int depth) {
    if (depth > kDeepest || ++values_ > kMostValues) return std::nullopt;
    switch (value.kind()) {
      case ValueKind::kNone:
        return ConfigNode();
      case ValueKind::kBool:
        return ConfigNode(value.boolean() ? "true" : "false");
      case ValueKind::kInteger:
        return integer_of(value);
      case ValueKind::kFloat:
        return ConfigNode(number_text(value.real()));
      case ValueKind::kText:
        if (value.text().size() > kLongestText) return std::nullopt;
        return ConfigNode(value.text());
      case ValueKind::kList:
      case ValueKind::kTuple:
        return list_of(value, depth);
      case ValueKind::kDict:
        return map_of(value, depth);
      default:
        return std::nullopt;
    }
  }

 private:
  static std::optional<ConfigNode> integer_of(const Value& value) {
    try {
      return ConfigNode(std::to_string(value.integer()));
    } catch (const Error&) {  // beyond 64 bits
      return std::nullopt;
    }
  }

  ConfigNode list_of(const Value& value, int depth) {
    ConfigNode list = ConfigNode::list();
    for (const Value& item : value.items())
      if (auto converted = convert(item, depth + 1)) list.append(std::move(*converted));
    return list;
  }

  ConfigNode map_of(const Value& value, int depth) {
    ConfigNode map = ConfigNode::map();
    for (const auto& [key, item] : value.entries()) {
      if (key.kind() != ValueKind::kText || key.text().size() > kLongestText) continue;
      if (auto converted = convert(item, depth + 1)) map[key.text()] = std::move(*converted);
    }
    return map;
  }

  int values_ = 0;
};

}  // namespace

ConfigNode config_of(const Value& value) { return Converter().convert(value, 0).value_or(ConfigNode()); }

std::optional<ConfigNode> hyper_parameters(const Checkpoint& checkpoint) {
  const auto metadata = checkpoint.metadata.find(kKey);
  if (metadata != checkpoint.metadata.end()) return parse_json(metadata->second, kKey, Errc::kCheckpoint);
  if (checkpoint.root.kind() != ValueKind::kDict) return std::nullopt;
  const std::optional<Value> found = checkpoint.root.find(kKey);
  if (!found) return std::nullopt;
  if (found->kind() == ValueKind::kDict) return config_of(*found);
  if (found->kind() != ValueKind::kOpaque) return std::nullopt;
  for (const Value& given : found->items())
    if (given.kind() == ValueKind::kDict) return config_of(given);
  return std::nullopt;
}

}  // namespace reseda::io
