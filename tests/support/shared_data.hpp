#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace reseda::tests {

/// A folder or file of the real data, e.g. "medical/dicom": under RESEDA_DATA_DIR, else under ../shared/data.
/// Empty if it is in neither; a test then skips and says so.
inline std::filesystem::path shared_data(const std::string& name) {
  std::vector<std::filesystem::path> folders;
  if (const char* given = std::getenv("RESEDA_DATA_DIR")) folders.emplace_back(given);
  folders.push_back(std::filesystem::path(RESEDA_SOURCE_DIR) / "../shared/data");
  for (const auto& folder : folders)
    if (std::filesystem::exists(folder / name)) return (folder / name).lexically_normal();
  return {};
}

}  // namespace reseda::tests
