#include "tests/configs/published_config.hpp"

#include <algorithm>

#include "io/record/yaml.hpp"

namespace reseda::tests {

PublishedBlock ConfigFile::block() const {
  PublishedBlock block;
  read_config(*tree.find("checkpoint"), block, name + ": checkpoint");
  return block;
}

std::vector<ConfigFile> all_configs() {
  const std::filesystem::path root = std::filesystem::path(RESEDA_SOURCE_DIR) / "configs";
  std::vector<ConfigFile> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".yaml") continue;
    const std::filesystem::path below = entry.path().lexically_relative(root);
    files.push_back({std::filesystem::path(below).replace_extension().generic_string(), below.begin()->string(),
                     entry.path(), io::read_yaml(entry.path())});
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return files;
}

ConfigFile config_named(const std::string& name) {
  for (ConfigFile& file : all_configs())
    if (file.name == name) return std::move(file);
  detail::raise(Errc::kUsage, "no config ", name);
}

}  // namespace reseda::tests
