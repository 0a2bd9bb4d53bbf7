#pragma once

#include <filesystem>
#include <string_view>
#include <utility>

namespace reseda::io {

/// Whether one path component matches a pattern of *, ?, [a-z], [!a-z] and \x (that character itself). A leading dot
/// must be matched by a dot. Takes time proportional to both lengths' product at most.
bool glob_match(std::string_view pattern, std::string_view name);

/// Whether the text holds a character that makes it a pattern.
bool is_glob(std::string_view text);

/// Splits a pattern such as "data/*/x_?.wav" into the folder before the first component with a wildcard ("data") and
/// the rest ("*/x_?.wav").
std::pair<std::filesystem::path, std::string_view> split_glob(std::string_view pattern);

/// Whether a path relative to that folder matches the rest; "**" stands for any number of folders.
bool glob_match_path(std::string_view pattern, const std::filesystem::path& relative);

}  // namespace reseda::io
