#include "io/record/file_bytes.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace reseda::io {

Descriptor::~Descriptor() { close(); }

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    close();
    value_ = other.release();
  }
  return *this;
}

int Descriptor::release() { return std::exchange(value_, -1); }

void Descriptor::close() {
  if (value_ >= 0) ::close(release());
}

std::string read_file(const std::filesystem::path& file, std::size_t limit, Errc code) {
  // O_NONBLOCK: a named pipe without a writer must not hang the program.
  const Descriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  RESEDA_REQUIRE(in.valid(), code, file.string(), ": cannot read: ", std::strerror(errno));
  struct stat facts {};
  ::fstat(in.get(), &facts);
  RESEDA_REQUIRE(S_ISREG(facts.st_mode), code, file.string(), ": cannot read: not a regular file");
  std::string out;
  while (true) {
    const std::size_t old = out.size(), want = std::min<std::size_t>(limit + 1 - old, 1U << 16);
    out.resize(old + want);
    const ssize_t got = ::read(in.get(), out.data() + old, want);
    out.resize(old + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno == EINTR) continue;
    RESEDA_REQUIRE(got >= 0, code, file.string(), ": cannot read: ", std::strerror(errno));
    RESEDA_REQUIRE(out.size() <= limit, code, file.string(), ": larger than ", limit, " bytes");
    if (got == 0) return out;
  }
}

void write_bytes(int descriptor, std::string_view bytes, const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    RESEDA_REQUIRE(written > 0, Errc::kOutput, name, ": cannot write: ", std::strerror(written < 0 ? errno : ENOSPC));
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace reseda::io
