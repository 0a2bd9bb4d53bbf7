#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "modules/core/error.hpp"

namespace reseda::io::detail {

inline std::string_view trimmed(std::string_view text) {
  constexpr const char* kBlank = " \t\r";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

/// Whole numbers >= 1 apart by blanks. @throws Error{kInput} "NAME: FIELD: ..." unless there are `count` of them
inline std::vector<std::int64_t> parse_sizes(std::string_view text, std::size_t count, const std::string& name,
                                             const char* field) {
  std::vector<std::int64_t> sizes;
  for (text = trimmed(text); !text.empty(); text = trimmed(text)) {
    std::int64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    RESEDA_REQUIRE(failure == std::errc() && value >= 1, Errc::kInput, name, ": ", field,
                   " must be whole numbers of at least 1");
    sizes.push_back(value);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    RESEDA_REQUIRE(text.empty() || trimmed(text).size() < text.size(), Errc::kInput, name, ": ", field,
                   " must be whole numbers of at least 1");
  }
  RESEDA_REQUIRE(sizes.size() == count, Errc::kInput, name, ": ", field, " has ", sizes.size(), " numbers, expected ",
                 count);
  return sizes;
}

/// Whether ITK's linear algebra may be given a number of a transform: it loops for ever or complains aloud at others.
inline bool is_plain_number(double number) {
  constexpr double kLargest = 1e6, kSmallest = 1e-30;
  return std::isfinite(number) && std::abs(number) <= kLargest && (number == 0 || std::abs(number) >= kSmallest);
}

/// That a field consists of plain numbers, or of "none" and "nan", apart by characters of `between`.
/// @return how many
inline std::size_t check_plain_numbers(std::string_view text, const char* between, const std::string& name,
                                       std::string_view field) {
  std::size_t count = 0;
  for (std::size_t at = text.find_first_not_of(between); at != std::string_view::npos;
       at = text.find_first_not_of(between, at)) {
    const std::string_view word = text.substr(at, text.find_first_of(between, at) - at);
    double number = 0;
    const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), number);
    const bool plain = failure == std::errc() && end == word.data() + word.size() && is_plain_number(number);
    RESEDA_REQUIRE(plain || word == "none" || word == "nan" || word == "NaN", Errc::kInput, name, ": ", field, " is '",
                   text, "', expected numbers up to a million");
    at += word.size();
    ++count;
  }
  return count;
}

}  // namespace reseda::io::detail
