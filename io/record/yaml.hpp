#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "io/record/tree_builder.hpp"

namespace reseda::io {

/// Reads one YAML document as a tree of text. Every node knows its file and line. Refused: anchors and aliases, tags, a
/// second document, duplicate keys, keys that are not plain words, anything beyond the limits.
/// @param name  what messages call the text, e.g. its file name
/// @throws Error{kUsage} "name:line: rule"
ConfigNode parse_yaml(std::string_view text, const std::string& name, const TreeLimits& limits = {});

/// The same from a file. @throws Error{kUsage}, also when it cannot be read or is larger than the limit
ConfigNode read_yaml(const std::filesystem::path& file, const TreeLimits& limits = {});

}  // namespace reseda::io
