#include "pipelines/speech/evaluation/score_table.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>
#include <sstream>
#include <string_view>
#include <system_error>

#include "io/record/csv.hpp"
#include "io/record/file_bytes.hpp"
#include "modules/core/config.hpp"
#include "modules/core/error.hpp"
#include "pipelines/speech/evaluation/match_files.hpp"

namespace reseda::speech {
namespace {

namespace fs = std::filesystem;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kMostBytes = 64U << 20;

struct Record {
  std::size_t line;  ///< on which it starts, from 1
  std::vector<std::string> cells;
};

/// Splits CSV text: commas, cells in double quotes with "" for a quote, lines ended by LF or CRLF.
std::vector<Record> parse_csv(const std::string& text, const std::string& name) {
  std::vector<Record> records;
  std::size_t line = 1, i = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  while (i < text.size()) {
    Record record{line, {""}};
    bool quoted = false;
    for (; i < text.size(); ++i) {
      const char c = text[i];
      if (c == '\n') ++line;
      if (quoted) {
        if (c != '"')
          record.cells.back() += c;
        else if (i + 1 < text.size() && text[i + 1] == '"')
          record.cells.back() += text[++i];
        else
          quoted = false;
      } else if (c == '"') {
        quoted = true;
      } else if (c == ',') {
        record.cells.emplace_back();
      } else if (c == '\n') {
        break;
      } else if (c != '\r') {
        record.cells.back() += c;
      }
    }
    RESEDA_REQUIRE(!quoted, Errc::kInput, name, ":", record.line, ": a quoted cell does not end");
    ++i;
    if (record.cells.size() > 1 || !record.cells[0].empty()) records.push_back(std::move(record));
  }
  return records;
}

/// A cell as a number; an empty cell, nan and n/a are NaN. Nothing for other text.
std::optional<double> number(std::string_view cell) {
  while (!cell.empty() && cell.front() == ' ') cell.remove_prefix(1);
  while (!cell.empty() && cell.back() == ' ') cell.remove_suffix(1);
  if (cell.empty() || cell == "n/a") return kNan;
  double value = 0;
  const auto [end, problem] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (problem != std::errc() || end != cell.data() + cell.size()) return std::nullopt;
  return value;
}

/// Splits "scores.csv:a,b"; a file whose own name holds the colon wins.
std::pair<std::string, std::vector<std::string>> split_spec(const std::string& spec) {
  const std::size_t colon = spec.rfind(':');
  std::error_code error;
  if (colon == std::string::npos || fs::exists(spec, error)) return {spec, {}};
  std::vector<std::string> names;
  std::istringstream in(spec.substr(colon + 1));
  for (std::string name; std::getline(in, name, ',');) names.push_back(name);
  return {spec.substr(0, colon), names};
}

/// Positions of the columns to take.
std::vector<std::size_t> chosen_columns(const std::vector<Record>& records, std::size_t file_column,
                                        const std::vector<std::string>& wanted, const std::string& name) {
  const std::vector<std::string>& header = records[0].cells;
  std::vector<std::size_t> chosen;
  for (const std::string& column : wanted) {
    const auto found = std::find(header.begin(), header.end(), column);
    RESEDA_REQUIRE(found != header.end(), Errc::kUsage, name, ": no column '", column, "'");
    chosen.push_back(static_cast<std::size_t>(found - header.begin()));
  }
  if (!wanted.empty()) return chosen;
  for (std::size_t c = 0; c < header.size(); ++c) {
    bool numbers = c != file_column, any = false;
    for (std::size_t r = 1; r < records.size() && numbers; ++r) {
      const std::optional<double> value = number(records[r].cells[c]);
      numbers = value.has_value();
      any = any || (value && !std::isnan(*value));
    }
    if (numbers && any) chosen.push_back(c);
  }
  return chosen;
}

}  // namespace

std::optional<std::size_t> ScoreTable::find_column(const std::string& name) const {
  const auto found = std::find(columns.begin(), columns.end(), name);
  if (found == columns.end()) return std::nullopt;
  return static_cast<std::size_t>(found - columns.begin());
}

std::vector<double> ScoreTable::column(std::size_t index) const {
  std::vector<double> values;
  for (const Row& row : rows) values.push_back(row.values[index]);
  return values;
}

void ScoreTable::add_column(const std::string& name) {
  columns.push_back(name);
  for (Row& row : rows) row.values.push_back(kNan);
}

std::string to_csv(const ScoreTable& table) {
  std::vector<std::string> header = {"file"};
  header.insert(header.end(), table.columns.begin(), table.columns.end());
  io::CsvTable csv(header);
  for (const ScoreTable::Row& row : table.rows) {
    std::vector<std::string> cells = {row.file};
    for (const double value : row.values) cells.push_back(std::isnan(value) ? "" : number_text(value));
    csv.add(cells);
  }
  return csv.text();
}

ScoreTable read_scores(const std::string& spec) {
  const auto [name, wanted] = split_spec(spec);
  const std::vector<Record> records = parse_csv(io::read_file(name, kMostBytes), name);
  RESEDA_REQUIRE(!records.empty(), Errc::kInput, name, ": empty, expected a header line with a column 'file'");
  const std::vector<std::string>& header = records[0].cells;
  const auto file = std::find(header.begin(), header.end(), "file");
  RESEDA_REQUIRE(file != header.end(), Errc::kInput, name, ":", records[0].line, ": the header has no column 'file'");
  const auto file_column = static_cast<std::size_t>(file - header.begin());
  for (const Record& record : records)
    RESEDA_REQUIRE(record.cells.size() == header.size(), Errc::kInput, name, ":", record.line, ": ",
                   record.cells.size(), " cells, the header has ", header.size());

  ScoreTable table;
  const std::vector<std::size_t> chosen = chosen_columns(records, file_column, wanted, name);
  RESEDA_REQUIRE(!chosen.empty(), Errc::kInput, name, ": no column of numbers beside 'file'");
  for (const std::size_t c : chosen) table.columns.push_back(header[c]);
  std::set<std::string> seen;
  for (std::size_t r = 1; r < records.size(); ++r) {
    const Record& record = records[r];
    RESEDA_REQUIRE(seen.insert(record.cells[file_column]).second, Errc::kInput, name, ":", record.line, ": file '",
                   record.cells[file_column], "' is there twice");
    ScoreTable::Row row{.file = record.cells[file_column], .values = {}};
    for (const std::size_t c : chosen) {
      const std::optional<double> value = number(record.cells[c]);
      RESEDA_REQUIRE(value.has_value(), Errc::kInput, name, ":", record.line, ": '", record.cells[c], "' in column '",
                     header[c], "' is no number");
      row.values.push_back(*value);
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::vector<std::string> merge_scores(ScoreTable& table, const ScoreTable& outside) {
  const std::size_t first = table.columns.size();
  for (const std::string& column : outside.columns) {
    RESEDA_REQUIRE(!table.find_column(column), Errc::kUsage, "scores: the table has a column '", column,
                   "' already; choose others with --scores FILE:COLUMN,COLUMN");
    table.add_column(column);
  }
  NameIndex inside, theirs;
  for (std::size_t i = 0; i < table.rows.size(); ++i) inside.add(table.rows[i].file, i);
  for (std::size_t i = 0; i < outside.rows.size(); ++i) theirs.add(outside.rows[i].file, i);
  std::vector<std::string> unknown;
  for (const ScoreTable::Row& row : outside.rows) {
    std::size_t i = 0;
    if (inside.find(row.file, theirs, i) == NameIndex::Match::kOne)
      std::copy(row.values.begin(), row.values.end(),
                table.rows[i].values.begin() + static_cast<std::ptrdiff_t>(first));
    else
      unknown.push_back(row.file);
  }
  return unknown;
}

}  // namespace reseda::speech
