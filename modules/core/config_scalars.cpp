#include "modules/core/config_scalars.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace reseda {
namespace detail {
namespace {

bool parse_number(std::string_view text, double& value) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

const std::string& require_scalar(const ConfigNode& node, const std::string& path, const char* expected) {
  RESEDA_REQUIRE(node.kind() == ConfigNode::Kind::kScalar, Errc::kUsage, "config: ", path, " must be ", expected,
                 ", not ", node.kind() == ConfigNode::Kind::kMap ? "a group of keys" : "a list", place_of(node));
  return node.scalar();
}
}  // namespace

std::string place_of(const ConfigNode& node) { return node.where().empty() ? "" : " (" + node.where() + ")"; }

void read_scalar(const ConfigNode& node, const std::string& path, bool& out) {
  const std::string& text = require_scalar(node, path, "true or false");
  RESEDA_REQUIRE(text == "true" || text == "false", Errc::kUsage, "config: ", path, " must be true or false, got '",
                 text, "'", place_of(node));
  out = text == "true";
}

void read_scalar(const ConfigNode& node, const std::string& path, std::int64_t& out) {
  const std::string& text = require_scalar(node, path, "a whole number");
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  RESEDA_REQUIRE(error == std::errc() && end == text.data() + text.size(), Errc::kUsage, "config: ", path,
                 " must be a whole number, got '", text, "'", place_of(node));
}

void read_scalar(const ConfigNode& node, const std::string& path, double& out) {
  const std::string& text = require_scalar(node, path, "a number");
  RESEDA_REQUIRE(parse_number(text, out) && std::isfinite(out), Errc::kUsage, "config: ", path,
                 " must be a finite number, got '", text, "'", place_of(node));
}

void read_scalar(const ConfigNode& node, const std::string& path, std::string& out) {
  out = require_scalar(node, path, "a text");
}

std::string scalar_text(bool value) { return value ? "true" : "false"; }
std::string scalar_text(std::int64_t value) { return std::to_string(value); }
std::string scalar_text(double value) { return number_text(value); }
std::string scalar_text(const std::string& value) { return value; }

void check_keys(const ConfigNode& node, const std::string& path, const std::vector<std::string>& known) {
  if (node.is_null()) return;
  RESEDA_REQUIRE(node.kind() == ConfigNode::Kind::kMap, Errc::kUsage, "config: ", path.empty() ? "the file" : path,
                 " must be a group of keys", place_of(node));
  for (std::size_t i = 0; i < node.keys().size(); ++i) {
    const std::string& key = node.keys()[i];
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string near = nearest_name(key, known);
    raise(Errc::kUsage, "config: unknown key '", join_path(path, key), "'", place_of(node.items()[i]),
          near.empty() ? std::string() : "; did you mean '" + join_path(path, near) + "'?");
  }
}

}  // namespace detail
}  // namespace reseda
