#include "pipelines/common/report_files.hpp"

#include <set>
#include <system_error>

#include "io/record/atomic_file.hpp"

namespace reseda::app {

namespace fs = std::filesystem;

void prepare_report(const fs::path& folder, const std::vector<std::string>& names, bool overwrite) {
  std::error_code error;
  fs::create_directories(folder, error);
  RESEDA_REQUIRE(!error && fs::is_directory(folder), Errc::kOutput, folder.string(), ": cannot make this folder",
                 error ? ": " + error.message() : std::string());
  for (const std::string& name : names)
    RESEDA_REQUIRE(overwrite || !fs::exists(folder / name), Errc::kOutput, (folder / name).string(),
                   ": exists (--overwrite replaces it)");
}

void write_report(const fs::path& folder, const std::vector<std::pair<std::string, std::string>>& files,
                  bool overwrite) {
  for (const auto& [name, content] : files)
    io::write_file(folder / name, content, overwrite ? io::Existing::kReplace : io::Existing::kRefuse);
}

int items_exit_code(const std::vector<Errc>& failures, std::size_t items) {
  const std::set<Errc> codes(failures.begin(), failures.end());
  if (codes.empty()) return 0;
  return failures.size() == items && codes.size() == 1 ? static_cast<int>(*codes.begin()) : 1;
}

}  // namespace reseda::app
