#pragma once

#include <filesystem>
#include <optional>

#include "io/record/atomic_file.hpp"

namespace reseda::app {

/// The output of an item until it gets its name: a file, or a folder that the job creates.
class BatchOutput {
 public:
  /// @throws Error{kOutput}
  BatchOutput(std::filesystem::path target, bool folder);
  ~BatchOutput();  ///< without commit(): removes what was written
  BatchOutput(const BatchOutput&) = delete;
  BatchOutput& operator=(const BatchOutput&) = delete;

  const std::filesystem::path& target() const { return target_; }
  const std::filesystem::path& staged() const { return staged_; }
  void sync();  ///< makes it durable
  /// @throws Error{kOutput}, also when the target exists and must be kept
  void commit(io::Existing existing);

 private:
  std::filesystem::path target_, staged_;
  std::optional<io::AtomicFile> file_;
  bool committed_ = false;
};

/// Removes what a killed run left of a target.
void remove_leftover_output(const std::filesystem::path& target, bool folder);

}  // namespace reseda::app
