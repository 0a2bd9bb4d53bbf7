#pragma once

#include <array>
#include <charconv>
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

}  // namespace reseda::io::detail
