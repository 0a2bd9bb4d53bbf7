#include "pipelines/common/resources.hpp"

#include <cctype>
#include <cstdlib>

#include "modules/core/error.hpp"

namespace reseda::app {

std::filesystem::path program_folder() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::filesystem::path(".") : program.parent_path();
}

std::filesystem::path resource_folder(const std::string& kind) {
  std::string variable = "RESEDA_";
  for (const char c : kind) variable += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::error_code error;
  if (const char* chosen = std::getenv(variable.c_str()); chosen != nullptr && *chosen != '\0') {
    RESEDA_REQUIRE(std::filesystem::is_directory(chosen, error), Errc::kUsage, variable, " must name a folder, got '",
                   chosen, "'");
    return chosen;
  }
  std::filesystem::path folder = program_folder();
  const auto installed = folder.parent_path() / "share" / "reseda" / kind;
  if (std::filesystem::is_directory(installed, error)) return installed;
  for (int up = 0; up < 4; ++up) {
    folder = folder.parent_path();
    if (std::filesystem::exists(folder / "CMakePresets.json", error) &&
        std::filesystem::is_directory(folder / kind, error))
      return folder / kind;
  }
  reseda::detail::raise(Errc::kUsage, "the folder of the ", kind, " was not found; set ", variable);
}

}  // namespace reseda::app
