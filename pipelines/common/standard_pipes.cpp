#include "pipelines/common/standard_pipes.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "pipelines/common/signals.hpp"

namespace reseda::app {

UnnamedFile::UnnamedFile() {
  std::error_code error;
  std::string name = (std::filesystem::temp_directory_path(error) / "reseda-XXXXXX").string();
  file_ = io::Descriptor(::mkostemp(name.data(), O_CLOEXEC));
  RESEDA_REQUIRE(file_.valid(), Errc::kOutput, name, ": cannot create a temporary file: ", std::strerror(errno));
  ::unlink(name.c_str());
}

std::filesystem::path UnnamedFile::path() const {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(file_.get());
}

void spool_standard_input(const UnnamedFile& to) {
  RESEDA_REQUIRE(::isatty(STDIN_FILENO) == 0, Errc::kInput, "standard input is a terminal; give a file or a pipe");
  std::vector<char> buffer(1U << 18);
  std::size_t total = 0;
  while (true) {
    throw_if_stopped();
    pollfd wait{STDIN_FILENO, POLLIN, 0};
    if (::poll(&wait, 1, 200) <= 0) continue;  // time out or signal: look whether to stop
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    RESEDA_REQUIRE(got >= 0, Errc::kInput, "standard input: cannot read: ", std::strerror(errno));
    if (got == 0) break;
    io::write_bytes(to.descriptor(), {buffer.data(), static_cast<std::size_t>(got)}, "temporary file");
    total += static_cast<std::size_t>(got);
  }
  RESEDA_REQUIRE(total > 0, Errc::kInput, "standard input is empty");
}

void copy_to_standard_output(const UnnamedFile& from) {
  std::vector<char> buffer(1U << 18);
  off_t offset = 0;
  while (true) {
    const ssize_t got = ::pread(from.descriptor(), buffer.data(), buffer.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    RESEDA_REQUIRE(got >= 0, Errc::kOutput, "temporary file: cannot read: ", std::strerror(errno));
    if (got == 0) return;
    io::write_bytes(STDOUT_FILENO, {buffer.data(), static_cast<std::size_t>(got)}, "standard output");
    offset += got;
  }
}

}  // namespace reseda::app
