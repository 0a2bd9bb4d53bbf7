#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "modules/core/error.hpp"

namespace reseda::io {

/// SHA-256 (FIPS 180-4) as 64 lower-case hexadecimal digits.
std::string sha256(std::string_view bytes);

/// Of a file's content, read in pieces. @throws Error{code} with the path
std::string sha256_file(const std::filesystem::path& file, Errc code = Errc::kInput);

}  // namespace reseda::io
