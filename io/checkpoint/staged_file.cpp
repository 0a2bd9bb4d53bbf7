#include "io/checkpoint/staged_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

}  // namespace

StagedFile::StagedFile(std::filesystem::path target) : target_(std::move(target)) {
  static std::atomic<unsigned> counter{0};
  std::error_code ignored;
  const auto status = std::filesystem::status(target_, ignored);
  RESEDA_REQUIRE(target_.has_filename(), Errc::kOutput, target_.string(), ": cannot write: names no file");
  RESEDA_REQUIRE(!std::filesystem::exists(status) || std::filesystem::is_regular_file(status), Errc::kOutput,
                 target_.string(), ": cannot write: it is there and is not a regular file");
  do {
    // A short name of its own: the target's name may already be as long as the file system allows.
    temporary_ =
        folder_of(target_) / (".reseda-" + std::to_string(::getpid()) + "-" + std::to_string(++counter) + ".part");
    descriptor_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  RESEDA_REQUIRE(descriptor_ >= 0, Errc::kOutput, target_.string(), ": cannot write: ", std::strerror(errno));
}

StagedFile::~StagedFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void StagedFile::write(const void* bytes, std::size_t size) {
  const char* next = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t written = ::write(descriptor_, next, size);
    if (written < 0 && errno == EINTR) continue;
    RESEDA_REQUIRE(written > 0, Errc::kOutput, target_.string(),
                   ": cannot write: ", std::strerror(written < 0 ? errno : ENOSPC));
    next += written;
    size -= static_cast<std::size_t>(written);
  }
}

void StagedFile::commit() {
  RESEDA_INVARIANT(descriptor_ >= 0);
  const bool synced = ::fsync(descriptor_) == 0;
  RESEDA_REQUIRE(synced, Errc::kOutput, target_.string(), ": cannot write: ", std::strerror(errno));
  const int renamed = ::rename(temporary_.c_str(), target_.c_str());
  RESEDA_REQUIRE(renamed == 0, Errc::kOutput, target_.string(), ": cannot write: ", std::strerror(errno));
  ::close(std::exchange(descriptor_, -1));
  const int folder = ::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);  // the rename itself; file systems that cannot sync a folder are left to their own order
    ::close(folder);
  }
}

}  // namespace reseda::io
