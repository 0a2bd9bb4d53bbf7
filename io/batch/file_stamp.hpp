#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "modules/core/error.hpp"

namespace reseda::io {

/// What the file system knows of a file's content without reading it: size, times in nanoseconds and inode number.
/// Equal stamps of an input mean equal bytes.
/// @return "" if the file is missing or not a regular file
std::string input_stamp(const std::filesystem::path& file);

/// Of several files as one; "" if one of them has none.
std::string input_stamp(const std::vector<std::filesystem::path>& files);

/// The same without the time that a rename changes; of a folder, of the files in it.
std::string output_stamp(const std::filesystem::path& output);

/// SHA-256 of a file's bytes; of several files, of their names and hashes. @throws Error{code} with the path
std::string files_sha256(const std::vector<std::filesystem::path>& files, Errc code = Errc::kInput);

/// Of an output: a file, or a folder by the files in it. @throws Error{kOutput} with the path
std::string output_sha256(const std::filesystem::path& output);

}  // namespace reseda::io
