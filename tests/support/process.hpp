#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace reseda::tests {

/// How a program ended and what it printed.
struct Outcome {
  int code = -1;  ///< exit code; 128 + number when a signal killed it
  std::string out, err;
};

/// A real process of a program in the build's bin folder, with its own standard streams.
class Process {
 public:
  struct Setup {
    std::filesystem::path folder = {};                    ///< where it runs; empty: here
    std::string input = "";                               ///< its standard input, from a pipe
    std::map<std::string, std::string> environment = {};  ///< added to ours
    std::string output_file = "";                         ///< where standard output goes instead, e.g. /dev/full
  };
  /// @param command  program name (looked up in bin) or path, then its words
  Process(const std::vector<std::string>& command, const Setup& setup);
  explicit Process(const std::vector<std::string>& command) : Process(command, Setup()) {}
  ~Process();  ///< kills it if it still runs
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Whether the program has a handler for this signal by now.
  bool catches(int signal) const;
  void send(int signal) const;
  /// Collects the streams until the end; kills the process after `seconds`.
  Outcome wait(double seconds = 60);

 private:
  pid_t pid_ = -1;
  int out_ = -1, err_ = -1;
};

/// Runs a program to its end.
Outcome run(const std::vector<std::string>& command, const Process::Setup& setup);
inline Outcome run(const std::vector<std::string>& command) { return run(command, Process::Setup()); }

/// Waits up to ten seconds until the condition holds.
template <class Condition>
bool eventually(Condition&& condition);

void sleep_ms(int milliseconds);

template <class Condition>
bool eventually(Condition&& condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    sleep_ms(5);
  }
  return false;
}

/// Every file below a folder and its bytes, without names that hold `leave_out`.
std::map<std::string, std::string> tree_of(const std::filesystem::path& folder,
                                           const std::string& leave_out = "run.jsonl");

}  // namespace reseda::tests
