#include "io/batch/glob.hpp"

#include <string>
#include <vector>

#include "modules/core/star_match.hpp"

namespace reseda::io {
namespace {

/// Matches one character of the name against the pattern element at `p`, and moves `p` behind that element.
bool match_one(std::string_view pattern, std::size_t& p, char c) {
  const char head = pattern[p];
  if (head == '?') return ++p, true;
  if (head == '\\' && p + 1 < pattern.size()) return p += 2, pattern[p - 1] == c;
  const std::size_t close = head == '[' ? pattern.find(']', p + 2 + (pattern.substr(p + 1, 1) == "!")) : pattern.npos;
  if (close == pattern.npos) return ++p, head == c;
  std::size_t i = p + 1;
  const bool inverted = pattern[i] == '!';
  if (inverted) ++i;
  bool inside = false;
  for (; i < close; ++i) {
    const bool range = i + 2 < close && pattern[i + 1] == '-';
    inside = inside || (pattern[i] <= c && c <= pattern[range ? i + 2 : i]);
    if (range) i += 2;
  }
  p = close + 1;
  return inside != inverted;
}

std::vector<std::string_view> components(std::string_view pattern) {
  std::vector<std::string_view> out;
  while (!pattern.empty()) {
    const std::size_t slash = std::min(pattern.find('/'), pattern.size());
    if (slash > 0) out.push_back(pattern.substr(0, slash));
    pattern.remove_prefix(std::min(slash + 1, pattern.size()));
  }
  return out;
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view name) {
  if (!name.empty() && name.front() == '.' && (pattern.empty() || pattern.front() != '.')) return false;
  return matches_with_stars(pattern, name, match_one);
}

bool is_glob(std::string_view text) { return text.find_first_of("*?[") != text.npos; }

std::pair<std::filesystem::path, std::string_view> split_glob(std::string_view pattern) {
  std::size_t start = 0;
  while (true) {
    const std::size_t slash = pattern.find('/', start);
    if (slash == pattern.npos || is_glob(pattern.substr(start, slash - start))) break;
    start = slash + 1;
  }
  if (start == 0) return {".", pattern};
  return {std::filesystem::path(start == 1 ? "/" : pattern.substr(0, start - 1)), pattern.substr(start)};
}

bool glob_match_path(std::string_view pattern, const std::filesystem::path& relative) {
  const std::vector<std::string_view> want = components(pattern);
  std::vector<std::string> have;
  for (const auto& part : relative) have.push_back(part.string());
  // reach[j]: the first i pattern components match the first j folders.
  std::vector<bool> reach(have.size() + 1, false);
  reach[0] = true;
  for (const std::string_view component : want) {
    std::vector<bool> next(have.size() + 1, false);
    for (std::size_t j = 0; j <= have.size(); ++j) {
      if (component == "**") {
        next[j] = reach[j] || (j > 0 && next[j - 1] && have[j - 1].front() != '.');
      } else if (j > 0) {
        next[j] = reach[j - 1] && glob_match(component, have[j - 1]);
      }
    }
    reach = std::move(next);
  }
  return reach[have.size()];
}

}  // namespace reseda::io
