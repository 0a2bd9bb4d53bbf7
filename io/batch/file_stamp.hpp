#pragma once

#include <filesystem>
#include <string>

namespace reseda::io {

/// What the file system knows of a file's content without reading it: size, times in nanoseconds and inode number.
/// Equal stamps of an input mean equal bytes.
/// @return "" if the file is missing or not a regular file
std::string input_stamp(const std::filesystem::path& file);

/// The same without the time that a rename changes.
std::string output_stamp(const std::filesystem::path& file);

}  // namespace reseda::io
