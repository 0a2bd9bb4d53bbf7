#pragma once

#include <string>
#include <utility>
#include <vector>

#include "pipelines/certify/analysis/run_analysis.hpp"

namespace reseda::certify {

/// The curves with their bands, as an <svg> element.
std::string curves_plot(const Analysis& analysis);

/// One self-contained page: curves, tables, comparison, protocol, and what a certificate says.
/// @param facts  name and value pairs at the top
std::string analysis_html(const Analysis& analysis, const std::vector<std::pair<std::string, std::string>>& facts);

}  // namespace reseda::certify
