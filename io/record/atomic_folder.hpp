#pragma once

#include <filesystem>

#include "io/record/file_bytes.hpp"

namespace reseda::io {

/// A folder that appears whole or not at all. Files go into ".NAME.reseda.part" beside the target, which is locked
/// while this object lives; an unlocked one is the leftover of a killed run and is removed.
class AtomicFolder {
 public:
  /// @throws Error{kOutput}: the target exists, its parent does not or is not writable, or another process is writing
  /// it
  explicit AtomicFolder(std::filesystem::path target);
  ~AtomicFolder();  ///< without commit(): removes what was written
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;

  /// The empty folder to fill.
  const std::filesystem::path& staged() const { return staged_; }
  /// Makes its files durable and gives the folder its name. @throws Error{kOutput}, also when the target exists by now
  void commit();

 private:
  std::filesystem::path target_, staged_;
  Descriptor folder_;
};

}  // namespace reseda::io
