#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "io/record/tree_builder.hpp"

namespace reseda::io {

/// Reads one JSON value as a tree of text; numbers keep their spelling. Refused: duplicate keys, anything beyond the
/// limits, bytes after the value.
/// @param name  what messages call the text
/// @param code  the code of a failure, e.g. kCheckpoint for a model's metadata
/// @throws Error{code} "name: rule"
ConfigNode parse_json(std::string_view text, const std::string& name, Errc code = Errc::kInput,
                      const TreeLimits& limits = {});

ConfigNode read_json(const std::filesystem::path& file, Errc code = Errc::kInput, const TreeLimits& limits = {});

}  // namespace reseda::io
