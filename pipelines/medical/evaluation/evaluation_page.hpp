#pragma once

#include <string>
#include <vector>

#include "pipelines/medical/evaluation/evaluation_table.hpp"
#include "pipelines/medical/evaluation/scan_pictures.hpp"

namespace reseda::medical {

/// The page: summary with definitions, of each scan its geometry, noise, plots and pictures, all slices, what failed
/// (io::HtmlReport).
/// @param pictures  of each scan of the evaluation; empty where none are shown
std::string evaluation_html(const Evaluation& evaluation, const std::vector<KindSummary>& summary,
                            const std::vector<std::vector<SliceRow>>& pictures);

}  // namespace reseda::medical
