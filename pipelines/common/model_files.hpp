#pragma once

#include <filesystem>
#include <string>

namespace reseda::app {

/// The file of a model: a path as it is, or the name of a shipped model in resource_folder("models").
/// @throws Error{kCheckpoint} with the nearest name
std::filesystem::path find_model(const std::string& name_or_path);

}  // namespace reseda::app
