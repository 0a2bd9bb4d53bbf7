#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace reseda::certify {

/// Labels of images from a table of comma-separated values with a header that has the columns `index`, counted from 0
/// row by row, and `label`; cells are not quoted. @throws Error{kInput} naming the file and the line
std::vector<std::int64_t> read_label_table(const std::filesystem::path& file);
/// The same of text in memory. @param where  its name in messages
std::vector<std::int64_t> parse_label_table(std::string_view text, const std::string& where);

}  // namespace reseda::certify
