#pragma once

#include "modules/core/error.hpp"

namespace reseda::app {

/// SIGINT and SIGTERM: the first sets stop_requested(), the second ends the process at once with 130. A signal that was
/// ignored when the program started stays ignored. SIGPIPE is ignored: writes fail with an error instead.
void install_signals();

/// Whether SIGINT or SIGTERM arrived: finish or discard the current piece of work, then return kInterrupted.
bool stop_requested();
/// @throws Error{kInterrupted} if so
void throw_if_stopped();

}  // namespace reseda::app
