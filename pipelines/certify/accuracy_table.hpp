#pragma once

#include <span>
#include <string>
#include <vector>

namespace reseda::certify {

/// Certified accuracies of one method at the table's radii.
struct AccuracyRow {
  std::string name;
  std::vector<double> accuracies;
};

/// A table of certified accuracies, two decimals, the best of each radius (the first on a tie) in bold or with a star,
/// as official code writes it.
/// Official: locuslab/smoothing, code/analyze.py, latex_table_certified_accuracy, markdown_table_certified_accuracy.
std::string latex_table(std::span<const double> radii, std::span<const AccuracyRow> rows);
std::string markdown_table(std::span<const double> radii, std::span<const AccuracyRow> rows);

}  // namespace reseda::certify
