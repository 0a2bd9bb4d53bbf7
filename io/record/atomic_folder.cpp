#include "io/record/atomic_folder.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "io/record/atomic_file.hpp"

namespace reseda::io {
namespace {

Descriptor open_folder(const std::filesystem::path& folder) {
  return Descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

/// @return false if another process holds the lock; file systems without locks count as free
bool lock(const Descriptor& folder) { return ::flock(folder.get(), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK; }

int rename_new(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
  // Of folders a plain rename replaces empty ones alone.
  return ::rename(from.c_str(), to.c_str());
}

}  // namespace

AtomicFolder::AtomicFolder(std::filesystem::path target) : target_(std::move(target)) {
  if (!target_.has_filename()) target_ = target_.parent_path();  // "NAME/"
  RESEDA_REQUIRE(target_.has_filename(), Errc::kOutput, target_.string(), ": cannot write: names no folder");
  staged_ = staged_name(target_);
  std::error_code ignored;
  RESEDA_REQUIRE(!std::filesystem::exists(std::filesystem::symlink_status(target_, ignored)), Errc::kOutput,
                 target_.string(), ": cannot write: it exists already");
  if (const Descriptor old = open_folder(staged_); old.valid()) {
    RESEDA_REQUIRE(lock(old), Errc::kOutput, target_.string(), ": cannot write: another process is writing it (",
                   staged_.string(), ")");
    std::filesystem::remove_all(staged_, ignored);
  }
  RESEDA_REQUIRE(::mkdir(staged_.c_str(), 0777) == 0, Errc::kOutput, target_.string(),
                 ": cannot write: ", std::strerror(errno));
  folder_ = open_folder(staged_);
  RESEDA_REQUIRE(folder_.valid() && lock(folder_), Errc::kOutput, target_.string(),
                 ": cannot write: another process is writing it (", staged_.string(), ")");
}

AtomicFolder::~AtomicFolder() {
  if (!folder_.valid()) return;
  std::error_code ignored;
  std::filesystem::remove_all(staged_, ignored);
}

void AtomicFolder::commit() {
  RESEDA_INVARIANT(folder_.valid());
  RESEDA_REQUIRE(::syncfs(folder_.get()) == 0 && rename_new(staged_, target_) == 0, Errc::kOutput, target_.string(),
                 ": cannot write: ", errno == EEXIST ? "it exists already" : std::strerror(errno));
  folder_.close();
}

}  // namespace reseda::io
