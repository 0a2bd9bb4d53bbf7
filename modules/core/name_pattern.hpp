#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace reseda {

/// Whether a whole name fits a pattern in which * stands for any text, the empty one too, and ? for one byte; all else
/// stands for itself. Takes at most length of pattern x length of name steps.
bool matches_pattern(std::string_view pattern, std::string_view name);

bool matches_any(const std::vector<std::string>& patterns, std::string_view name);

}  // namespace reseda
