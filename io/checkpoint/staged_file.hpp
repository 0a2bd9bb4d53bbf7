#pragma once

#include <cstddef>
#include <filesystem>

namespace reseda::io {

/// A file that appears whole or not at all: bytes go to a temporary name in the target's folder; commit() syncs and
/// renames it, destruction without commit() removes it.
class StagedFile {
 public:
  /// @throws Error{kOutput} if the folder is missing or not writable, or the target is there and not a regular file
  explicit StagedFile(std::filesystem::path target);
  ~StagedFile();
  StagedFile(const StagedFile&) = delete;
  StagedFile& operator=(const StagedFile&) = delete;

  int descriptor() const { return descriptor_; }
  const std::filesystem::path& target() const { return target_; }

  /// Appends at the descriptor's position. @throws Error{kOutput}, e.g. when the disk is full
  void write(const void* bytes, std::size_t size);
  /// Makes the file durable and gives it its name; it replaces a file of that name. @throws Error{kOutput}
  void commit();

 private:
  std::filesystem::path target_, temporary_;
  int descriptor_ = -1;
};

}  // namespace reseda::io
