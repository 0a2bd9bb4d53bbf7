#include "io/record/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "io/record/file_bytes.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {

MappedFile::MappedFile(const std::filesystem::path& path, Errc code) {
  // O_NONBLOCK: a named pipe must not make us wait for its writer before it is refused below.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  RESEDA_REQUIRE(file.valid(), code, path.string(), ": cannot open: ", std::strerror(errno));
  struct stat status {};
  RESEDA_REQUIRE(::fstat(file.get(), &status) == 0, code, path.string(), ": cannot read: ", std::strerror(errno));
  RESEDA_REQUIRE(!S_ISDIR(status.st_mode), code, path.string(), ": is a folder, expected a file");
  RESEDA_REQUIRE(S_ISREG(status.st_mode), code, path.string(), ": is not a regular file");
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;
  void* memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.get(), 0);
  RESEDA_REQUIRE(memory != MAP_FAILED, code, path.string(), ": cannot map: ", std::strerror(errno));
  begin_ = static_cast<std::byte*>(memory);
}

MappedFile::~MappedFile() {
  if (begin_ != nullptr) ::munmap(begin_, size_);
}

}  // namespace reseda::io
