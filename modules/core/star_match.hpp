#pragma once

#include <cstddef>
#include <string_view>

namespace reseda {

/// Whether a whole name fits a pattern in which * stands for any text, the empty one too. Takes at most length of
/// pattern x length of name steps.
/// @param match_one  (pattern, p, byte): whether what begins at p, no star, stands for the byte; moves p behind it if
/// so
template <class MatchOne>
bool matches_with_stars(std::string_view pattern, std::string_view name, const MatchOne& match_one) {
  // After a mismatch the last * takes one byte more; earlier ones need not change.
  std::size_t p = 0, n = 0, star = std::string_view::npos, taken = 0;
  while (n < name.size()) {
    std::size_t next = p;
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = n;
    } else if (p < pattern.size() && match_one(pattern, next, name[n])) {
      p = next;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace reseda
