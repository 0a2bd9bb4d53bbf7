#include "io/audio/spool.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

constexpr std::size_t kBuffer = 1 << 16;

}  // namespace

Descriptor open_spool() {
  const char* chosen = std::getenv("TMPDIR");
  const std::string folder = chosen != nullptr && *chosen != '\0' ? chosen : "/tmp";
  Descriptor file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file.valid()) return file;
  std::string name = folder + "/reseda-XXXXXX";  // for file systems without unnamed files
  Descriptor named(::mkostemp(name.data(), O_CLOEXEC));
  RESEDA_REQUIRE(named.valid(), Errc::kOutput, folder, ": cannot make a temporary file: ", std::strerror(errno));
  ::unlink(name.c_str());
  return named;
}

Descriptor spool_standard_input() {
  Descriptor spool = open_spool();
  std::vector<char> buffer(kBuffer);
  while (true) {
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    RESEDA_REQUIRE(got >= 0, Errc::kInput, "standard input: cannot read: ", std::strerror(errno));
    if (got == 0) return spool;
    write_bytes(spool.get(), {buffer.data(), static_cast<std::size_t>(got)}, "temporary copy of standard input");
  }
}

void copy_to_standard_output(int descriptor) {
  std::vector<char> buffer(kBuffer);
  off_t at = 0;
  while (true) {
    const ssize_t got = ::pread(descriptor, buffer.data(), buffer.size(), at);
    if (got < 0 && errno == EINTR) continue;
    RESEDA_REQUIRE(got >= 0, Errc::kOutput, "temporary file: cannot read: ", std::strerror(errno));
    if (got == 0) return;
    write_bytes(STDOUT_FILENO, {buffer.data(), static_cast<std::size_t>(got)}, "standard output");
    at += got;
  }
}

}  // namespace reseda::io::detail
