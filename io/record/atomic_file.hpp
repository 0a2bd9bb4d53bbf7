#pragma once

#include <filesystem>
#include <string_view>

#include "io/record/file_bytes.hpp"

namespace reseda::io {

/// What commit() does when the target exists.
enum class Existing { kRefuse, kReplace };

/// A file that appears whole or not at all. Bytes go to ".NAME.reseda.part" beside the target, which is locked while
/// this object lives; an unlocked one is the leftover of a killed run and is removed.
class AtomicFile {
 public:
  /// @throws Error{kOutput}: no such folder, not writable, the target is there and not a regular file, or another
  /// process
  ///         is writing it now
  explicit AtomicFile(std::filesystem::path target);
  ~AtomicFile();  ///< without commit(): removes the staged file
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  const std::filesystem::path& target() const { return target_; }
  /// The empty file to write: by write(), or by a library that opens it by name.
  const std::filesystem::path& staged() const { return staged_; }
  void write(std::string_view bytes);
  /// Makes the bytes durable (also those written by name). @throws Error{kOutput}, e.g. when the disk is full
  void sync();
  /// sync() unless that was done, then the rename. When power fails right after, the file may be absent, never torn.
  /// @throws Error{kOutput}, also when the target exists and must be kept
  void commit(Existing existing);

 private:
  std::filesystem::path target_, staged_;
  Descriptor file_;
  bool synced_ = false;
};

/// The staged name of a target.
std::filesystem::path staged_name(const std::filesystem::path& target);

/// Removes what a killed run left of this target, if anything. Never throws.
void remove_leftover(const std::filesystem::path& target) noexcept;

/// Writes a whole file at once.
void write_file(const std::filesystem::path& target, std::string_view bytes, Existing existing);

}  // namespace reseda::io
