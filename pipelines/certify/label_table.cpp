#include "pipelines/certify/label_table.hpp"

#include <algorithm>
#include <charconv>

#include "io/record/file_bytes.hpp"
#include "modules/core/error.hpp"

namespace reseda::certify {
namespace {

constexpr std::size_t kMaxTable = std::size_t{1} << 28;

/// The next line, without its end; cut from the text.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

std::string_view cell(std::string_view line, std::size_t column) {
  for (; column > 0; --column) {
    const std::size_t comma = line.find(',');
    if (comma == std::string_view::npos) return {};
    line.remove_prefix(comma + 1);
  }
  return line.substr(0, line.find(','));
}

std::size_t column_of(std::string_view header, std::string_view name, const std::string& where) {
  const auto columns = static_cast<std::size_t>(std::count(header.begin(), header.end(), ',')) + 1;
  for (std::size_t i = 0; i < columns; ++i)
    if (cell(header, i) == name) return i;
  throw Error(Errc::kInput, where + ": line 1: the header lacks the column " + std::string(name));
}

std::int64_t number(std::string_view text, const std::string& where, std::size_t line) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  RESEDA_REQUIRE(error == std::errc() && end == text.data() + text.size() && value >= 0, Errc::kInput, where, ": line ",
                 line, ": '", text.substr(0, 40), "' is no number from 0 on; the file may be cut");
  return value;
}

}  // namespace

std::vector<std::int64_t> parse_label_table(std::string_view text, const std::string& where) {
  const std::string_view header = take_line(text);
  const std::size_t index_column = column_of(header, "index", where), label_column = column_of(header, "label", where);
  std::vector<std::int64_t> labels;
  for (std::size_t line = 2; !text.empty(); ++line) {
    const std::string_view row = take_line(text);
    if (row.empty()) continue;
    const std::int64_t index = number(cell(row, index_column), where, line);
    RESEDA_REQUIRE(index == static_cast<std::int64_t>(labels.size()), Errc::kInput, where, ": line ", line,
                   " has the index ", index, ", expected ", labels.size());
    labels.push_back(number(cell(row, label_column), where, line));
  }
  return labels;
}

std::vector<std::int64_t> read_label_table(const std::filesystem::path& file) {
  return parse_label_table(io::read_file(file, kMaxTable), file.string());
}

}  // namespace reseda::certify
