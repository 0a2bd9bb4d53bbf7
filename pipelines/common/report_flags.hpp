#pragma once

#include <string>

#include "modules/metrics/summary.hpp"
#include "pipelines/common/flags.hpp"

namespace reseda::app {

/// --output FOLDER, --overwrite and --json of a verb that writes a report.
/// @param files  what goes into the folder, e.g. "scores.csv, scores.json and report.html"
FlagTable report_flags(const std::string& files);

/// --draws and --seed of the intervals around means. @param items  what is resampled, e.g. "files"
FlagTable interval_flags(const std::string& items);

/// What interval_flags() asked for.
metrics::BootstrapConfig bootstrap_of(const Flags& flags);

/// How the intervals were made, for a report, e.g. "95 %, 10000 bootstrap draws, seed 0".
std::string interval_fact(const Flags& flags);

}  // namespace reseda::app
