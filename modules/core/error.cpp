#include "modules/core/error.hpp"

#include <cstring>

namespace reseda {

const char* errc_name(Errc code) {
  switch (code) {
    case Errc::kUsage: return "usage";
    case Errc::kInput: return "input";
    case Errc::kCheckpoint: return "checkpoint";
    case Errc::kOutput: return "output";
    case Errc::kDevice: return "device";
    case Errc::kNumeric: return "numeric";
    case Errc::kInternal: return "internal";
    case Errc::kInterrupted: return "interrupted";
  }
  return "internal";
}

namespace detail {

void raise_message(Errc code, const std::string& message) { throw Error(code, message); }

void raise_invariant(const char* condition, const char* file, int line) {
  const char* base = std::strrchr(file, '/');
  raise(Errc::kInternal, "internal error: ", condition, " does not hold at ", base ? base + 1 : file, ":", line,
        " (this is a bug in reseda)");
}

}  // namespace detail
}  // namespace reseda
