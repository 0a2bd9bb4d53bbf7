#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace reseda::test {

/// What limits or feeds a program that is started.
struct Surroundings {
  std::filesystem::path standard_input = "/dev/null";
  long file_size_limit = 0;     ///< bytes that a file may grow to; 0 is no limit
  bool without_powers = false;  ///< root too must obey permissions
};

struct Outcome {
  int code = -1;  ///< exit code, or 128 + the signal that ended it
  std::string out, err;
  double peak_mib = 0;  ///< largest resident size
};

/// A program of the build, running beside the test.
class RunningProgram {
 public:
  /// @param words  the program, a path, and its arguments
  explicit RunningProgram(const std::vector<std::string>& words, const Surroundings& surroundings = {});
  ~RunningProgram();
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;
  void signal(int number) const;
  bool ended();
  Outcome wait();

 private:
  pid_t id_ = -1;
  std::filesystem::path out_, err_;
  bool ended_ = false;
  Outcome outcome_;
};

/// Whether this process may take from its children root's power to ignore permissions, or has none.
bool can_obey_permissions();

}  // namespace reseda::test
