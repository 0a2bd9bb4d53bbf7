#include "io/checkpoint/pickle_text.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <vector>

namespace reseda::io {
namespace {

/// The hexadecimal number of exactly `digits` digits at `at`.
std::optional<std::uint32_t> hexadecimal(std::string_view text, std::size_t at, std::size_t digits) {
  if (at > text.size() || text.size() - at < digits) return std::nullopt;
  std::uint32_t value = 0;
  const char* end = text.data() + at + digits;
  const auto [stop, error] = std::from_chars(text.data() + at, end, value, 16);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

bool is_character(std::uint32_t value) { return value < 0xD800 || (value > 0xDFFF && value <= 0x10FFFF); }

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const std::size_t length = first < 0x80   ? 1
                               : first < 0xC2 ? 0
                               : first < 0xE0 ? 2
                               : first < 0xF0 ? 3
                               : first < 0xF5 ? 4
                                              : 0;
    if (length == 0 || text.size() - i < length) return false;
    std::uint32_t value = length == 1 ? first : first & (0x7FU >> length);
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xC0) != 0x80) return false;
      value = (value << 6) | (next & 0x3F);
    }
    if ((length == 3 && value < 0x800) || (length == 4 && value < 0x10000) || !is_character(value)) return false;
    i += length;
  }
  return true;
}

void append_utf8(std::string& out, char32_t character) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((character >> shift) & 0x3F)); };
  if (character < 0x80) {
    out += static_cast<char>(character);
  } else if (character < 0x800) {
    out += static_cast<char>(0xC0 | (character >> 6));
    tail(0);
  } else if (character < 0x10000) {
    out += static_cast<char>(0xE0 | (character >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0 | (character >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

std::optional<std::string> unquote(std::string_view quoted) {
  if (quoted.size() < 2 || quoted.front() != quoted.back() || (quoted.front() != '\'' && quoted.front() != '"'))
    return std::nullopt;
  const std::string_view text = quoted.substr(1, quoted.size() - 2);
  constexpr std::string_view kLetters = "\\'\"nrtbfva", kMeanings = "\\'\"\n\r\t\b\f\v\a";
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    const std::size_t letter = kLetters.find(text[i]);
    if (letter != std::string_view::npos) {
      out += kMeanings[letter];
    } else if (text[i] == 'x') {
      const auto value = hexadecimal(text, i + 1, 2);
      if (!value) return std::nullopt;
      out += static_cast<char>(*value);
      i += 2;
    } else if (text[i] >= '0' && text[i] <= '7') {
      int value = 0, digits = 0;
      for (; digits < 3 && i < text.size() && text[i] >= '0' && text[i] <= '7'; ++digits)
        value = 8 * value + text[i++] - '0';
      out += static_cast<char>(value);
      --i;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

std::optional<std::string> raw_unicode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == 'u' || text[i + 1] == 'U');
    if (!escape) {
      append_utf8(out, static_cast<unsigned char>(text[i]));
      continue;
    }
    const std::size_t digits = text[i + 1] == 'u' ? 4 : 8;
    const auto value = hexadecimal(text, i + 2, digits);
    if (!value || !is_character(*value)) return std::nullopt;
    append_utf8(out, static_cast<char32_t>(*value));
    i += 1 + digits;
  }
  return out;
}

std::string decimal(std::span<const std::byte> bytes) {
  if (bytes.empty()) return "0";
  const bool negative = (bytes.back() & std::byte{0x80}) != std::byte{0};
  std::vector<std::uint8_t> magnitude;
  unsigned carry = negative ? 1 : 0;
  for (const std::byte one : bytes) {
    const unsigned value = (negative ? 0xFFU ^ std::to_integer<unsigned>(one) : std::to_integer<unsigned>(one)) + carry;
    magnitude.push_back(static_cast<std::uint8_t>(value));
    carry = value >> 8;
  }
  if (carry != 0) magnitude.push_back(1);
  std::string digits;
  while (!magnitude.empty()) {
    unsigned rest = 0;
    for (std::size_t i = magnitude.size(); i-- > 0;) {
      const unsigned value = (rest << 8) | magnitude[i];
      magnitude[i] = static_cast<std::uint8_t>(value / 10);
      rest = value % 10;
    }
    digits += static_cast<char>('0' + rest);
    while (!magnitude.empty() && magnitude.back() == 0) magnitude.pop_back();
  }
  if (negative) digits += '-';
  std::reverse(digits.begin(), digits.end());
  return digits;
}

}  // namespace reseda::io
