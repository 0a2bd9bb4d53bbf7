#pragma once

#include <string>
#include <vector>

#include "pipelines/medical/evaluation/evaluation_table.hpp"

namespace reseda::medical {

/// How it was made, each score's definition beside its summary (by kind: "ct", "other"), scans with their geometry and
/// noise, and slices, as JSON; undefined numbers are null.
std::string to_json(const Evaluation& evaluation, const std::vector<KindSummary>& summary);

}  // namespace reseda::medical
