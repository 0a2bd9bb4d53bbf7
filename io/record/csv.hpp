#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace reseda::io {

/// A field quoted as RFC 4180 asks: in double quotes when it holds a comma, a quote or a line break.
std::string csv_field(std::string_view text);

/// A CSV table as text: RFC 4180, with lines that end in LF.
class CsvTable {
 public:
  explicit CsvTable(const std::vector<std::string>& header);
  /// @throws Error{kInternal} unless it has as many fields as the header
  void add(const std::vector<std::string>& row);
  const std::string& text() const { return text_; }

 private:
  std::size_t columns_;
  std::string text_;
};

}  // namespace reseda::io
