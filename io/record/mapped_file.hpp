#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "modules/core/error.hpp"

namespace reseda::io {

/// A whole file in memory, private and copy-on-write: pages are read when touched, and writing to them (an in-place
/// operation on a weight) never reaches the file. Replacing the file by rename is safe while it is mapped; cutting it
/// shorter in place is not.
class MappedFile {
 public:
  /// @throws Error{code} if the path is missing, unreadable or not a regular file
  explicit MappedFile(const std::filesystem::path& path, Errc code = Errc::kCheckpoint);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<std::byte> bytes() const { return {begin_, size_}; }

 private:
  std::byte* begin_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace reseda::io
