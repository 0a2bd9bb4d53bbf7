#include "modules/core/config.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>

namespace reseda {
namespace {

std::string quote_json(const std::string& text) {
  std::string out = "\"";
  for (const char ch : text) {
    const auto c = static_cast<unsigned char>(ch);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += ch;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c < 0x20) {
      static constexpr char kHex[] = "0123456789abcdef";
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else {
      out += ch;
    }
  }
  return out + '"';
}

bool parse_number(std::string_view text, double& value) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool is_json_literal(const std::string& text) {
  double value = 0;
  return text == "true" || text == "false" || (parse_number(text, value) && std::isfinite(value));
}

/// Whether plain YAML would read the text as something other than this string.
bool needs_yaml_quotes(const std::string& text) {
  if (text.empty() || text == "null" || text == "~") return true;
  if (std::string_view("-?:,[]{}#&*!|>'\"%@` ").find(text.front()) != std::string_view::npos && !is_json_literal(text))
    return true;
  return text.find(": ") != std::string::npos || text.find(" #") != std::string::npos || text.back() == ':' ||
         text.back() == ' ' || text.find_first_of("\n\t") != std::string::npos;
}

void write_yaml(const ConfigNode& node, int depth, std::string& out) {
  const std::string pad(static_cast<std::size_t>(depth) * 2, ' ');
  for (std::size_t i = 0; i < node.keys().size(); ++i) {
    const ConfigNode& child = node.items()[i];
    out.append(pad).append(node.keys()[i]).append(":");
    if (child.kind() == ConfigNode::Kind::kMap && !child.keys().empty()) {
      out += "\n";
      write_yaml(child, depth + 1, out);
    } else if (child.kind() == ConfigNode::Kind::kScalar) {
      out.append(" ").append(needs_yaml_quotes(child.scalar()) ? quote_json(child.scalar()) : child.scalar()).append("\n");
    } else {
      out.append(" ").append(child.to_json()).append("\n");
    }
  }
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::string unquoted(std::string_view text) {
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front())
    text = text.substr(1, text.size() - 2);
  return std::string(text);
}

}  // namespace

const ConfigNode* ConfigNode::find(std::string_view key) const {
  const auto found = std::find(keys_.begin(), keys_.end(), key);
  return found == keys_.end() ? nullptr : &items_[static_cast<std::size_t>(found - keys_.begin())];
}

ConfigNode& ConfigNode::operator[](const std::string& key) {
  if (kind_ == Kind::kNull) kind_ = Kind::kMap;
  RESEDA_INVARIANT(kind_ == Kind::kMap);
  const auto found = std::find(keys_.begin(), keys_.end(), key);
  if (found != keys_.end()) return items_[static_cast<std::size_t>(found - keys_.begin())];
  keys_.push_back(key);
  return items_.emplace_back();
}

void ConfigNode::append(ConfigNode item) {
  if (kind_ == Kind::kNull) kind_ = Kind::kList;
  RESEDA_INVARIANT(kind_ == Kind::kList);
  items_.push_back(std::move(item));
}

void ConfigNode::merge(const ConfigNode& over) {
  if (over.kind_ == Kind::kMap && kind_ == Kind::kMap) {
    for (std::size_t i = 0; i < over.keys_.size(); ++i) (*this)[over.keys_[i]].merge(over.items_[i]);
  } else if (!over.is_null()) {
    *this = over;
  }
}

void ConfigNode::set(const std::string& dotted_path, const std::string& value) {
  ConfigNode* node = this;
  std::size_t start = 0;
  while (true) {
    const std::size_t dot = dotted_path.find('.', start);
    const std::string key = dotted_path.substr(start, dot - start);
    RESEDA_REQUIRE(!key.empty(), Errc::kUsage, "--set: '", dotted_path, "' is not a path like sampler.steps");
    RESEDA_REQUIRE(node->kind_ == Kind::kNull || node->kind_ == Kind::kMap, Errc::kUsage, "--set: '",
                   dotted_path.substr(0, start), "' is a value, it has no key '", key, "'");
    node = &(*node)[key];
    if (dot == std::string::npos) break;
    start = dot + 1;
  }
  std::string_view text = trimmed(value);
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
    ConfigNode items = list();
    text = trimmed(text.substr(1, text.size() - 2));
    while (!text.empty()) {
      const std::size_t comma = std::min(text.find(','), text.size());
      items.append(ConfigNode(unquoted(trimmed(text.substr(0, comma)))));
      text.remove_prefix(std::min(comma + 1, text.size()));
    }
    *node = std::move(items);
  } else {
    *node = ConfigNode(unquoted(text));
  }
}

std::string ConfigNode::to_json(int indent) const {
  struct Print {
    int indent;
    std::string operator()(const ConfigNode& node, int depth) const {
      const std::string newline =
          indent < 0 ? std::string() : "\n" + std::string(static_cast<std::size_t>(indent * (depth + 1)), ' ');
      const std::string last =
          indent < 0 ? std::string() : "\n" + std::string(static_cast<std::size_t>(indent * depth), ' ');
      switch (node.kind()) {
        case Kind::kNull: return "null";
        case Kind::kScalar: return is_json_literal(node.scalar()) ? node.scalar() : quote_json(node.scalar());
        case Kind::kList: {
          std::string out = "[";
          for (std::size_t i = 0; i < node.items_.size(); ++i)
            out += (i ? ", " : "") + (*this)(node.items_[i], depth + 1);
          return out + "]";
        }
        case Kind::kMap: {
          std::string out = "{";
          for (std::size_t i = 0; i < node.items_.size(); ++i)
            out += (i ? "," : "") + (i && indent < 0 ? std::string(" ") : std::string()) + newline +
                   quote_json(node.keys_[i]) + ": " + (*this)(node.items_[i], depth + 1);
          return out + (node.items_.empty() ? "" : last) + "}";
        }
      }
      return "null";
    }
  };
  return Print{indent}(*this, 0);
}

std::string ConfigNode::to_yaml() const {
  std::string out;
  write_yaml(*this, 0, out);
  return out;
}

std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (std::size_t i = 1; i <= name.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= candidate.size(); ++j) {
        const std::size_t substituted = diagonal + (name[i - 1] != candidate[j - 1]);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

std::string number_text(double value) {
  std::array<char, 40> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return std::string(buffer.data(), result.ptr);
}

namespace detail {
namespace {
const std::string& require_scalar(const ConfigNode& node, const std::string& path, const char* expected) {
  RESEDA_REQUIRE(node.kind() == ConfigNode::Kind::kScalar, Errc::kUsage, "config: ", path, " must be ", expected, ", not ",
                 node.kind() == ConfigNode::Kind::kMap ? "a group of keys" : "a list");
  return node.scalar();
}
}  // namespace

void read_scalar(const ConfigNode& node, const std::string& path, bool& out) {
  const std::string& text = require_scalar(node, path, "true or false");
  RESEDA_REQUIRE(text == "true" || text == "false", Errc::kUsage, "config: ", path, " must be true or false, got '", text, "'");
  out = text == "true";
}

void read_scalar(const ConfigNode& node, const std::string& path, std::int64_t& out) {
  const std::string& text = require_scalar(node, path, "a whole number");
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  RESEDA_REQUIRE(error == std::errc() && end == text.data() + text.size(), Errc::kUsage, "config: ", path,
                 " must be a whole number, got '", text, "'");
}

void read_scalar(const ConfigNode& node, const std::string& path, double& out) {
  const std::string& text = require_scalar(node, path, "a number");
  RESEDA_REQUIRE(parse_number(text, out) && std::isfinite(out), Errc::kUsage, "config: ", path,
                 " must be a finite number, got '", text, "'");
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
                 " must be a group of keys");
  for (const std::string& key : node.keys()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string near = nearest_name(key, known);
    raise(Errc::kUsage, "config: unknown key '", join_path(path, key), "'",
          near.empty() ? std::string() : "; did you mean '" + join_path(path, near) + "'?");
  }
}

}  // namespace detail
}  // namespace reseda
