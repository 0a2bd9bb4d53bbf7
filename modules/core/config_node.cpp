#include "modules/core/config_node.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>

namespace reseda {
namespace {

/// Length of the UTF-8 sequence at the front of `text`, 0 if there is none (overlong forms and surrogates included).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char c = byte(0);
  const std::size_t length = c < 0x80                ? 1
                             : c >= 0xC2 && c < 0xE0 ? 2
                             : c >= 0xE0 && c < 0xF0 ? 3
                             : c >= 0xF0 && c < 0xF5 ? 4
                                                     : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  const bool overlong = (c == 0xE0 && byte(1) < 0xA0) || (c == 0xF0 && byte(1) < 0x90);
  const bool outside = (c == 0xED && byte(1) >= 0xA0) || (c == 0xF4 && byte(1) >= 0x90);
  return overlong || outside ? 0 : length;
}

bool parse_number(std::string_view text, double& value) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

/// -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?, and finite as a double.
bool is_json_number(std::string_view text) {
  double value = 0;
  if (!parse_number(text, value) || !std::isfinite(value) || text.front() == '+') return false;
  if (text.front() == '-') text.remove_prefix(1);
  const std::size_t whole = std::min(text.find_first_of(".eE"), text.size());
  if (whole == 0 || (whole > 1 && text.front() == '0')) return false;
  return whole == text.size() || text[whole] != '.' ||
         (whole + 1 < text.size() && text[whole + 1] >= '0' && text[whole + 1] <= '9');
}

bool is_json_literal(const std::string& text) { return text == "true" || text == "false" || is_json_number(text); }

/// Whether plain YAML would read the text as something other than this string.
bool needs_yaml_quotes(const std::string& text) {
  if (text.empty() || text == "null" || text == "Null" || text == "NULL" || text == "~" || text == "...") return true;
  if (std::string_view("-?:,[]{}#&*!|>'\"%@`< ").find(text.front()) != std::string_view::npos && !is_json_number(text))
    return true;
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return true;
  return text.find(": ") != std::string::npos || text.find(" #") != std::string::npos || text.back() == ':' ||
         text.back() == ' ';
}

void write_yaml(const ConfigNode& node, int depth, std::string& out) {
  const std::string pad(static_cast<std::size_t>(depth) * 2, ' ');
  for (std::size_t i = 0; i < node.keys().size(); ++i) {
    const ConfigNode& child = node.items()[i];
    const std::string& key = node.keys()[i];
    out.append(pad).append(needs_yaml_quotes(key) ? json_quoted(key) : key).append(":");
    if (child.kind() == ConfigNode::Kind::kMap && !child.keys().empty()) {
      out += "\n";
      write_yaml(child, depth + 1, out);
    } else if (child.kind() == ConfigNode::Kind::kScalar) {
      out.append(" ")
          .append(needs_yaml_quotes(child.scalar()) ? json_quoted(child.scalar()) : child.scalar())
          .append("\n");
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

void ConfigNode::merge_component(const ConfigNode& over) {
  const ConfigNode* new_name = over.find("name");
  const ConfigNode* old_name = find("name");
  const bool renamed = new_name != nullptr && old_name != nullptr && new_name->scalar_ != old_name->scalar_;
  if (over.kind_ == Kind::kMap && kind_ == Kind::kMap && !renamed) {
    for (std::size_t i = 0; i < over.keys_.size(); ++i) (*this)[over.keys_[i]].merge_component(over.items_[i]);
  } else if (!over.is_null()) {
    *this = over;
  }
}

void ConfigNode::set(const std::string& dotted_path, ConfigNode value) {
  ConfigNode* node = this;
  std::size_t start = 0;
  while (true) {
    const std::size_t dot = dotted_path.find('.', start);
    const std::string key = dotted_path.substr(start, dot - start);
    RESEDA_REQUIRE(!key.empty(), Errc::kUsage, "--set: '", dotted_path, "' is not a path like sampler.steps");
    RESEDA_REQUIRE(node->kind_ == Kind::kNull || node->kind_ == Kind::kMap, Errc::kUsage, "--set: '",
                   dotted_path.substr(0, start == 0 ? 0 : start - 1), "' is a value, it has no key '", key, "'");
    node = &(*node)[key];
    if (dot == std::string::npos) break;
    start = dot + 1;
  }
  *node = std::move(value);
}

void ConfigNode::set(const std::string& dotted_path, const std::string& value) {
  std::string_view text = trimmed(value);
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') return set(dotted_path, ConfigNode(unquoted(text)));
  ConfigNode items = list();
  text = trimmed(text.substr(1, text.size() - 2));
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    items.append(ConfigNode(unquoted(trimmed(text.substr(0, comma)))));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  set(dotted_path, std::move(items));
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
        case Kind::kNull:
          return "null";
        case Kind::kScalar:
          return is_json_literal(node.scalar()) ? node.scalar() : json_quoted(node.scalar());
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
                   json_quoted(node.keys_[i]) + ": " + (*this)(node.items_[i], depth + 1);
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
    // A suggestion must share at least one letter with what was typed.
    if (row.back() < best_distance && row.back() < std::max(name.size(), candidate.size())) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const char ch = text.front();
    const auto c = static_cast<unsigned char>(ch);
    const std::size_t length = utf8_length(text);
    if (ch == '"' || ch == '\\') {
      out.append("\\").append(1, ch);
    } else if (ch == '\n') {
      out += "\\n";
    } else if (ch == '\t') {
      out += "\\t";
    } else if (c < 0x20 || c == 0x7F) {
      static constexpr char kHex[] = "0123456789abcdef";
      out.append("\\u00").append(1, kHex[c >> 4]).append(1, kHex[c & 15]);
    } else if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out + '"';
}

std::string number_text(double value) {
  std::array<char, 40> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return std::string(buffer.data(), result.ptr);
}

}  // namespace reseda
