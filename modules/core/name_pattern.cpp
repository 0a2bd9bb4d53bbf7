#include "modules/core/name_pattern.hpp"

#include <algorithm>

#include "modules/core/star_match.hpp"

namespace reseda {

bool matches_pattern(std::string_view pattern, std::string_view name) {
  return matches_with_stars(pattern, name, [](std::string_view all, std::size_t& p, char byte) {
    return all[p] == '?' || all[p] == byte ? (++p, true) : false;
  });
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [name](const std::string& pattern) { return matches_pattern(pattern, name); });
}

}  // namespace reseda
