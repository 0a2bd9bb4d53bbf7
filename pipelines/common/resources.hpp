#pragma once

#include <filesystem>
#include <string>

namespace reseda::app {

/// The folder of the running program.
std::filesystem::path program_folder();

/// A folder of shipped files, "configs" or "models": $RESEDA_CONFIGS or $RESEDA_MODELS where set, else
/// ../share/reseda/<kind> beside the program, else <kind>/ of the source tree that holds the build folder.
/// @throws Error{kUsage} when there is none, or the variable names no folder
std::filesystem::path resource_folder(const std::string& kind);

}  // namespace reseda::app
