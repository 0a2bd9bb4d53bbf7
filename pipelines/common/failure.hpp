#pragma once

#include <exception>
#include <string>

#include "modules/core/error.hpp"

namespace reseda::app {

/// An exception as people and records see it: who can fix it, and one line.
struct Failure {
  Errc code = Errc::kInternal;
  std::string message;
};

/// Error as it is; std::bad_alloc and LibTorch's failed allocations as kDevice; c10::Error without its trace and any
/// other exception as kInternal (the trace is logged at debug level).
Failure describe_exception(const std::exception_ptr& error);

}  // namespace reseda::app
