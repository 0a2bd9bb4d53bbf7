#pragma once

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

namespace reseda::tests {

/// The folder that holds `part` (e.g. "infrared/radiometric16") of the test data: RESEDA_DATA_DIR, else data/ beside a
/// folder of RESEDA_GOLDEN_DIRS (separated by colons), else ../shared/data; empty if it is in none of them.
inline std::filesystem::path data_folder(const std::string& part) {
  namespace fs = std::filesystem;
  std::vector<fs::path> candidates;
  if (const char* given = std::getenv("RESEDA_DATA_DIR")) candidates.emplace_back(given);
  if (const char* goldens = std::getenv("RESEDA_GOLDEN_DIRS")) {
    std::istringstream folders(goldens);
    for (std::string folder; std::getline(folders, folder, ':');) candidates.push_back(fs::path(folder) / "../data");
  }
  candidates.push_back(fs::path(RESEDA_SOURCE_DIR) / "../shared/data");
  for (const fs::path& folder : candidates) {
    if (fs::exists(folder / part)) return folder / part;
  }
  return {};
}

}  // namespace reseda::tests
