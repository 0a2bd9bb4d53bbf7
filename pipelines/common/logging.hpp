#pragma once

#include <string>

#include "modules/core/log.hpp"

namespace reseda::app {

/// Sends modules/core/log.hpp through spdlog to stderr: "program: message", "program: warning: message"; at debug level
/// with the time of day.
void install_logging(const std::string& program, log::Level level);

/// @throws Error{kUsage} unless the text is debug, info, warning, error or off
log::Level parse_log_level(const std::string& text);

}  // namespace reseda::app
