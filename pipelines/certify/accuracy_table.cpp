#include "pipelines/certify/accuracy_table.hpp"

#include <array>
#include <cstdio>

#include "modules/stats/certified_accuracy.hpp"
#include "pipelines/certify/cohen_log.hpp"

namespace reseda::certify {
namespace {

std::string two_decimals(double value) {
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.2f", value);
  return buffer.data();
}

std::vector<std::size_t> best_rows(std::span<const AccuracyRow> rows) {
  std::vector<std::vector<double>> all;
  for (const AccuracyRow& row : rows) all.push_back(row.accuracies);
  return stats::best_sigma(all);
}

}  // namespace

std::string latex_table(std::span<const double> radii, std::span<const AccuracyRow> rows) {
  const auto best = best_rows(rows);
  std::string out;
  for (const double radius : radii) out += "& $r = " + three_digits(radius) + "$";
  out += "\\\\\n\\midrule\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out += rows[i].name;
    for (std::size_t j = 0; j < radii.size(); ++j) {
      const std::string text = two_decimals(rows[i].accuracies.at(j));
      out += best[j] == i ? " & \\textbf{" + text + "}" : " & " + text;
    }
    out += "\\\\\n";
  }
  return out;
}

std::string markdown_table(std::span<const double> radii, std::span<const AccuracyRow> rows) {
  const auto best = best_rows(rows);
  std::string out = "|  | ", rule = "| --- | ";
  for (const double radius : radii) {
    out += "r = " + three_digits(radius) + " |";
    rule += " --- |";
  }
  out += "\n" + rule + "\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out += "<b> " + rows[i].name + " </b>| ";
    for (std::size_t j = 0; j < radii.size(); ++j)
      out += two_decimals(rows[i].accuracies.at(j)) + (best[j] == i ? "<b>*</b> |" : " |");
    out += "\n";
  }
  return out;
}

}  // namespace reseda::certify
