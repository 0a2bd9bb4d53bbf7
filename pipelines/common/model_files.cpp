#include "pipelines/common/model_files.hpp"

#include <algorithm>
#include <cstdlib>

#include "modules/core/config.hpp"
#include "modules/core/error.hpp"

namespace reseda::app {

std::vector<std::filesystem::path> model_folders() {
  std::vector<std::filesystem::path> folders;
  if (const char* given = std::getenv("RESEDA_MODELS")) folders.emplace_back(given);
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) folders.push_back((program.parent_path() / ".." / "share" / "reseda" / "models").lexically_normal());
#ifdef RESEDA_SOURCE_DIR
  folders.emplace_back(std::filesystem::path(RESEDA_SOURCE_DIR) / "models");
#endif
  return folders;
}

std::filesystem::path find_model(const std::string& name_or_path) {
  std::error_code error;
  const bool is_path = name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".safetensors");
  if (is_path) {
    RESEDA_REQUIRE(std::filesystem::is_regular_file(name_or_path, error), Errc::kInput, "model '", name_or_path,
                   "': no such file");
    return name_or_path;
  }
  std::vector<std::string> names;
  for (const auto& folder : model_folders()) {
    const auto file = folder / (name_or_path + ".safetensors");
    if (std::filesystem::is_regular_file(file, error)) return file;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error))
      if (entry.path().extension() == ".safetensors") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  const std::string near = nearest_name(name_or_path, names);
  detail::raise(Errc::kInput, "no model '", name_or_path, "'",
                near.empty() ? std::string("; give a file or one of the names that 'reseda tools models' lists")
                             : "; did you mean '" + near + "'?");
}

}  // namespace reseda::app
