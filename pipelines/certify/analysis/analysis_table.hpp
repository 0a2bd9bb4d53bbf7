#pragma once

#include <string>
#include <vector>

#include "pipelines/certify/accuracy_table.hpp"
#include "pipelines/certify/analysis/run_analysis.hpp"

namespace reseda::certify {

/// Every point of every curve: run, radius, accuracy, ends of the band, accuracy with high probability.
std::string curves_csv(const Analysis& analysis);
/// Everything but the curves.
std::string analysis_json(const Analysis& analysis);
/// Certified accuracy at the radii, one run a line, columns aligned; the best of each radius has a star.
std::string accuracy_text(const Analysis& analysis);
/// The rows of the tables in accuracy_table.hpp.
std::vector<AccuracyRow> accuracy_rows(const Analysis& analysis);

/// A radius with two decimals, or up to four where it has them.
std::string radius_text(double radius);

}  // namespace reseda::certify
