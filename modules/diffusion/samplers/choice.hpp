#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "modules/core/error.hpp"

namespace reseda::diffusion {

/// Refuses a config value that is not one of the choices. @throws Error{kUsage} naming key, choices and value
inline void require_choice(const char* key, const std::string& value, std::initializer_list<std::string_view> choices) {
  std::string all;
  for (const std::string_view choice : choices) {
    if (value == choice) return;
    all += (all.empty() ? "" : ", ") + std::string(choice);
  }
  detail::raise(Errc::kUsage, key, " must be one of ", all, ", got '", value, "'");
}

}  // namespace reseda::diffusion
