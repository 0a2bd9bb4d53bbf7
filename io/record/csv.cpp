#include "io/record/csv.hpp"

#include "modules/core/error.hpp"

namespace reseda::io {

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

CsvTable::CsvTable(const std::vector<std::string>& header) : columns_(header.size()) { add(header); }

void CsvTable::add(const std::vector<std::string>& row) {
  RESEDA_INVARIANT(row.size() == columns_);
  for (std::size_t i = 0; i < row.size(); ++i) text_.append(i ? "," : "").append(csv_field(row[i]));
  text_ += '\n';
}

}  // namespace reseda::io
