#pragma once

#include <nlohmann/json.hpp>

namespace reseda::golden {

/// The config of our solver for one recorded run of RED-diff's algorithms ({name, algo, grid, ...}).
/// @param returns_argument  whether the official H_pinv returns its argument
nlohmann::json redd_solver_config(const nlohmann::json& run, bool returns_argument);

}  // namespace reseda::golden
