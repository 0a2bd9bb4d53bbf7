#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "modules/core/device.hpp"
#include "pipelines/common/flags.hpp"
#include "pipelines/common/signals.hpp"

namespace reseda::app {

/// One verb of a program, e.g. "enhance": what it is for, its flags, and what it does.
struct Verb {
  std::string name;     ///< "" for the only verb of a program without verbs
  std::string about;    ///< one sentence for the help
  std::string example;  ///< a command line for the help
  FlagTable flags;
  std::function<int(const Flags&)> run;  ///< returns the exit code; may throw
};

struct ProgramInfo {
  std::string name;   ///< e.g. "reseda-speech"
  std::string about;  ///< one sentence for the help
  std::vector<Verb> verbs;
};

/// The whole main() of a program. Every verb also gets --help, --help-json, --version, --completion SHELL, -q/--quiet,
/// -v/--verbose and --log-level. Exceptions become one line on stderr, "reseda-speech: input: a.wav: ...", and the exit
/// code of their Errc: c10::Error without its trace, bad_alloc as kDevice, anything else as kInternal. The first SIGINT
/// or SIGTERM sets stop_requested() and the program should end with 130; the second ends it at once. SIGPIPE is
/// ignored; standard output that cannot be written is kOutput.
/// @return the exit code
int run_program(int argc, char** argv, const ProgramInfo& program);

/// The version of reseda, e.g. "0.1.0".
const char* version();
/// The running program's name for messages, e.g. "reseda-speech".
const std::string& program_name();

/// --threads, --device, --precision, --seed.
FlagTable compute_flags();

/// What those flags ask for, opened and applied.
struct Compute {
  c10::Device device = c10::Device(c10::kCPU);
  Precision precision = Precision::kF32;
  std::uint64_t seed = 0;
};

/// Sets the thread count, opens the device (and says which one "auto" chose), applies the precision.
/// @throws Error{kUsage}, Error{kDevice}
Compute open_compute(const Flags& flags);

}  // namespace reseda::app
