#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "modules/core/error.hpp"

namespace reseda::app {

/// Makes the folder of a report and refuses, before any work, files that are there already.
/// @throws Error{kOutput}
void prepare_report(const std::filesystem::path& folder, const std::vector<std::string>& names, bool overwrite);

/// Writes the files of a report, name and content, each whole or not at all. @throws Error{kOutput}
void write_report(const std::filesystem::path& folder, const std::vector<std::pair<std::string, std::string>>& files,
                  bool overwrite);

/// Exit code of a run over items: 0 if all are good, 1 if some are, and the common code (or 1) if none is.
/// @param failures  codes of the items that are not good, out of `items`
int items_exit_code(const std::vector<Errc>& failures, std::size_t items);

}  // namespace reseda::app
