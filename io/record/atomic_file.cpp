#include "io/record/atomic_file.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "io/record/sha256.hpp"

namespace reseda::io {
namespace {

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

/// Whether the path still names the open file (another process may have removed or replaced it).
bool same_file(int descriptor, const std::filesystem::path& path) {
  struct stat open_file {
  }, named{};
  return ::fstat(descriptor, &open_file) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

enum class Lock { kHeld, kBusy };

Lock lock(int descriptor) {
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return Lock::kHeld;
  // File systems without locks: the name alone must do.
  return errno == EWOULDBLOCK ? Lock::kBusy : Lock::kHeld;
}

/// Removes the staged file unless a living process holds it. @return whether one does
Lock clear_staged(const std::filesystem::path& staged) {
  const Descriptor old(::open(staged.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!old.valid()) return Lock::kHeld;
  if (lock(old.get()) == Lock::kBusy) return Lock::kBusy;
  if (same_file(old.get(), staged)) ::unlink(staged.c_str());
  return Lock::kHeld;
}

int rename_new(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
  if (::link(from.c_str(), to.c_str()) != 0) return -1;
  return ::unlink(from.c_str());
}

}  // namespace

std::filesystem::path staged_name(const std::filesystem::path& target) {
  std::string name = "." + target.filename().string() + ".reseda.part";
  if (name.size() > 255) name = "." + sha256(target.filename().string()).substr(0, 32) + ".reseda.part";
  return folder_of(target) / name;
}

void remove_leftover(const std::filesystem::path& target) noexcept {
  try {
    clear_staged(staged_name(target));
  } catch (...) {  // out of memory: the leftover stays until the next run
  }
}

AtomicFile::AtomicFile(std::filesystem::path target) : target_(std::move(target)), staged_(staged_name(target_)) {
  std::error_code ignored;
  const auto status = std::filesystem::status(target_, ignored);
  RESEDA_REQUIRE(target_.has_filename(), Errc::kOutput, target_.string(), ": cannot write: names no file");
  RESEDA_REQUIRE(!std::filesystem::exists(status) || std::filesystem::is_regular_file(status), Errc::kOutput,
                 target_.string(), ": cannot write: it is there and is not a regular file");
  for (int attempt = 0; attempt < 100; ++attempt) {
    Descriptor fresh(::open(staged_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (fresh.valid()) {
      if (lock(fresh.get()) == Lock::kBusy || !same_file(fresh.get(), staged_)) continue;
      file_ = std::move(fresh);
      return;
    }
    RESEDA_REQUIRE(errno == EEXIST, Errc::kOutput, target_.string(), ": cannot write: ", std::strerror(errno));
    if (clear_staged(staged_) == Lock::kBusy) break;
  }
  reseda::detail::raise(Errc::kOutput, target_.string(), ": cannot write: another process is writing it (",
                        staged_.string(), ")");
}

AtomicFile::~AtomicFile() {
  if (file_.valid()) ::unlink(staged_.c_str());
}

void AtomicFile::write(std::string_view bytes) {
  synced_ = false;
  write_bytes(file_.get(), bytes, target_.string());
}

void AtomicFile::sync() {
  RESEDA_INVARIANT(file_.valid());
  // A library may have replaced the file under its name: sync what the name holds now.
  const Descriptor named(::open(staged_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  RESEDA_REQUIRE(named.valid() && ::fsync(named.get()) == 0, Errc::kOutput, target_.string(),
                 ": cannot write: ", std::strerror(errno));
  synced_ = true;
}

void AtomicFile::commit(Existing existing) {
  if (!synced_) sync();
  const int renamed =
      existing == Existing::kReplace ? ::rename(staged_.c_str(), target_.c_str()) : rename_new(staged_, target_);
  RESEDA_REQUIRE(renamed == 0, Errc::kOutput, target_.string(),
                 ": cannot write: ", errno == EEXIST ? "it exists already" : std::strerror(errno));
  file_.close();
}

void write_file(const std::filesystem::path& target, std::string_view bytes, Existing existing) {
  AtomicFile file(target);
  file.write(bytes);
  file.commit(existing);
}

}  // namespace reseda::io
