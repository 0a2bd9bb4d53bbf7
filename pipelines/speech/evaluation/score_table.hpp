#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace reseda::speech {

/// Numbers per file; NaN where a score is missing or undefined.
struct ScoreTable {
  struct Row {
    std::string file;
    std::vector<double> values;  ///< one per column
  };
  std::vector<std::string> columns;
  std::vector<Row> rows;

  std::optional<std::size_t> find_column(const std::string& name) const;
  std::vector<double> column(std::size_t index) const;
  void add_column(const std::string& name);  ///< filled with NaN
};

/// CSV (RFC 4180) with the columns file and those of the table; numbers read back to the same double, NaN is empty.
std::string to_csv(const ScoreTable& table);

/// Reads scores made elsewhere: a CSV file with a header line, a column "file" and columns of numbers.
/// @param spec  "scores.csv", which takes every column of which all cells are numbers or empty, or
///              "scores.csv:pesq,mos", which takes just these
/// @throws Error{kInput} with file and line: unreadable, over 64 MiB, no "file" column, a row of another width, a file
///         twice, or no number in an asked-for cell; Error{kUsage} for an asked-for column that is not there
ScoreTable read_scores(const std::string& spec);

/// Puts the columns of `outside` beside those of `table`, matching files by path without extension or by an unambiguous
/// file name (match_files.hpp). Files without a row get NaN.
/// @return the files of `outside` that the table lacks
/// @throws Error{kUsage} if a column exists already
std::vector<std::string> merge_scores(ScoreTable& table, const ScoreTable& outside);

}  // namespace reseda::speech
