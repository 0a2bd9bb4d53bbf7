#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace reseda::app {

/// The file of a model: a path as it is, or the name of a shipped model, looked for below $RESEDA_MODELS, else
/// ../share/reseda/models beside the program, else models/ of the source tree it was built from.
/// @throws Error{kInput} with the nearest name
std::filesystem::path find_model(const std::string& name_or_path);

/// The folders in which shipped models are looked for, first match first.
std::vector<std::filesystem::path> model_folders();

}  // namespace reseda::app
