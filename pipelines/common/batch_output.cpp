#include "pipelines/common/batch_output.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "io/record/file_bytes.hpp"

namespace reseda::app {
namespace {

namespace fs = std::filesystem;

int rename_how(const fs::path& from, const fs::path& to, unsigned how) {
  return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), how));
}

/// Puts a folder in the place of another one, or of none, at once where the file system can.
int replace_folder(const fs::path& from, const fs::path& to) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(to, error))) return ::rename(from.c_str(), to.c_str());
  const int exchanged = rename_how(from, to, RENAME_EXCHANGE);
  fs::remove_all(exchanged == 0 ? from : to, error);
  return exchanged == 0 ? 0 : ::rename(from.c_str(), to.c_str());
}

int place_folder(const fs::path& from, const fs::path& to) {
  if (rename_how(from, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
  return ::rename(from.c_str(), to.c_str());  // of folders it replaces empty ones alone
}

}  // namespace

BatchOutput::BatchOutput(fs::path target, bool folder) : target_(std::move(target)), staged_(io::staged_name(target_)) {
  if (!folder)
    file_.emplace(target_);
  else
    remove_leftover_output(target_, true);
}

BatchOutput::~BatchOutput() {
  if (!file_ && !committed_) remove_leftover_output(target_, true);
}

void BatchOutput::sync() {
  if (file_) return file_->sync();
  const io::Descriptor folder(::open(staged_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  RESEDA_REQUIRE(folder.valid() && ::syncfs(folder.get()) == 0, Errc::kOutput, target_.string(),
                 ": cannot write: ", std::strerror(errno));
}

void BatchOutput::commit(io::Existing existing) {
  if (file_) return file_->commit(existing);
  const bool replace = existing == io::Existing::kReplace;
  RESEDA_REQUIRE((replace ? replace_folder(staged_, target_) : place_folder(staged_, target_)) == 0, Errc::kOutput,
                 target_.string(), ": cannot write: ", errno == EEXIST ? "it exists already" : std::strerror(errno));
  committed_ = true;
}

void remove_leftover_output(const fs::path& target, bool folder) {
  if (!folder) return io::remove_leftover(target);
  std::error_code error;
  fs::remove_all(io::staged_name(io::staged_name(target)), error);
  fs::remove_all(io::staged_name(target), error);
}

}  // namespace reseda::app
