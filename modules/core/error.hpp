#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace reseda {

/// What went wrong, by who can fix it. The numeric value is the process exit code.
enum class Errc : int {
  kUsage = 2,         ///< bad flag or config key: fix the command line
  kInput = 3,         ///< input file missing, unreadable or malformed
  kCheckpoint = 4,    ///< weights missing, corrupt, or not for this network
  kOutput = 5,        ///< cannot write, disk full, or would overwrite
  kDevice = 6,        ///< device absent, out of memory, unsupported precision
  kNumeric = 7,       ///< NaN, Inf or a failed self-check: the result cannot be trusted
  kInternal = 70,     ///< our bug
  kInterrupted = 130  ///< stopped by SIGINT or SIGTERM
};

/// The one exception that crosses public functions: one line for a person, and who can fix it.
class Error : public std::runtime_error {
 public:
  Error(Errc code, const std::string& message) : std::runtime_error(message), code_(code) {}
  Errc code() const { return code_; }
  int exit_code() const { return static_cast<int>(code_); }

 private:
  Errc code_;
};

/// The name of a code in records and JSON, e.g. "input".
const char* errc_name(Errc code);

namespace detail {
[[noreturn]] void raise_message(Errc code, const std::string& message);
[[noreturn]] void raise_invariant(const char* condition, const char* file, int line);

template <class... Parts>
[[noreturn]] void raise(Errc code, Parts&&... parts) {
  std::ostringstream text;
  (text << ... << std::forward<Parts>(parts));
  raise_message(code, text.str());
}
}  // namespace detail
}  // namespace reseda

/// Throws Error{code} with the streamed parts as message unless the condition holds: name the key, the rule, the value.
#define RESEDA_REQUIRE(condition, code, ...)               \
  do {                                                     \
    if (!(condition)) ::reseda::detail::raise((code), __VA_ARGS__); \
  } while (false)

/// For our own bugs: throws Error{kInternal} with file and line.
#define RESEDA_INVARIANT(condition)                                                      \
  do {                                                                                   \
    if (!(condition)) ::reseda::detail::raise_invariant(#condition, __FILE__, __LINE__); \
  } while (false)
