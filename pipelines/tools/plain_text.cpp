#include "pipelines/tools/plain_text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "modules/core/config_node.hpp"

namespace reseda::tools {
namespace {

struct Character {
  std::uint32_t code = 0;
  std::size_t length = 0;  ///< 0: not UTF-8
};

Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return {};
  std::uint32_t code = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3F);
  }
  constexpr std::array<std::uint32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};  // of each length; less is overlong
  if (code < kLeast.at(length) || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
  return {code, length};
}

/// Whether a terminal may act on the character, or show it where it is not.
bool acts(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x061C || (code >= 0x200B && code <= 0x200F) ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF ||
         (code >= 0xE0000 && code <= 0xE0FFF);
}

std::string scaled(std::uint64_t count, const std::string& unit) {
  constexpr std::array<const char*, 7> kPrefix = {"", "K", "M", "G", "T", "P", "E"};
  auto value = static_cast<double>(count);
  std::size_t step = 0;
  for (; value >= 999.95 && step + 1 < kPrefix.size(); ++step) value /= 1000;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), step == 0 ? "%.0f" : "%.1f", value);
  const std::string suffix = kPrefix.at(step) + unit;
  return text.data() + (suffix.empty() ? suffix : " " + suffix);
}

}  // namespace

std::string plain_text(std::string_view text, std::size_t most) {
  constexpr std::string_view kGap = "...";
  std::string head, tail;
  if (text.size() > most) {
    std::size_t keep = std::max(most, kGap.size() + 2) - kGap.size();
    std::size_t end = keep * 2 / 3;  // never inside a character
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    std::size_t begin = text.size() - (keep - keep * 2 / 3);
    while (begin < text.size() && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) ++begin;
    return plain_text(text.substr(0, end), most) + std::string(kGap) + plain_text(text.substr(begin), most);
  }
  std::string out;
  while (!text.empty()) {
    const Character next = first_character(text);
    if (next.length == 0 || acts(next.code))
      out += '?';
    else
      out += text.substr(0, next.length);
    text.remove_prefix(std::max<std::size_t>(next.length, 1));
  }
  return out;
}

std::string plain_json(std::string_view text) {
  const std::string quoted = json_quoted(text);
  std::string out;
  for (std::string_view rest = quoted; !rest.empty();) {
    const Character next = first_character(rest);
    if (acts(next.code) && next.code > 0xFFFF) {
      std::array<char, 16> escape{};
      const std::uint32_t offset = next.code - 0x10000;
      std::snprintf(escape.data(), escape.size(), "\\u%04x\\u%04x", 0xD800 + (offset >> 10), 0xDC00 + (offset & 0x3FF));
      out += escape.data();
    } else if (acts(next.code)) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", next.code);
      out += escape.data();
    } else {
      out += rest.substr(0, next.length);
    }
    rest.remove_prefix(std::max<std::size_t>(next.length, 1));
  }
  return out;
}

std::string size_text(std::uint64_t bytes) { return scaled(bytes, "B"); }

std::string count_text(std::uint64_t count) { return count < 10'000 ? std::to_string(count) : scaled(count, ""); }

std::string counted(std::uint64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string figure_text(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g", value);
  return text.data();
}

}  // namespace reseda::tools
