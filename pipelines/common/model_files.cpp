#include "pipelines/common/model_files.hpp"

#include <vector>

#include "modules/core/config.hpp"
#include "pipelines/common/resources.hpp"

namespace reseda::app {

std::filesystem::path find_model(const std::string& name_or_path) {
  std::error_code error;
  if (std::filesystem::is_regular_file(name_or_path, error)) return name_or_path;
  const bool is_path = name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".safetensors");
  RESEDA_REQUIRE(!is_path, Errc::kCheckpoint, "model '", name_or_path,
                 "': ", std::filesystem::exists(name_or_path, error) ? "not a file" : "no such file");
  const auto folder = resource_folder("models");
  const auto file = folder / (name_or_path + ".safetensors");
  if (std::filesystem::is_regular_file(file, error)) return file;
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().extension() == ".safetensors") names.push_back(entry.path().stem().string());
  const std::string near = nearest_name(name_or_path, names);
  reseda::detail::raise(
      Errc::kCheckpoint, "no model '", name_or_path, "' in ", folder.string(),
      near.empty() ? std::string("; reseda tools models lists them") : "; did you mean '" + near + "'?");
}

}  // namespace reseda::app
