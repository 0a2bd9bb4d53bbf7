#include "io/audio/sound_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace reseda::io::detail {

SoundFile VirtualFile::open(int mode, SF_INFO& info) {
  position_ = 0;
  SF_VIRTUAL_IO calls{&length, &seek, &read, &write, &tell};
  return SoundFile(sf_open_virtual(&calls, mode, &info, this));
}

sf_count_t VirtualFile::length(void* self) {
  auto* file = static_cast<VirtualFile*>(self);
  struct stat status {};
  if (::fstat(file->descriptor_, &status) == 0) return status.st_size;
  if (file->error_ == 0) file->error_ = errno;
  return -1;
}

sf_count_t VirtualFile::seek(sf_count_t offset, int whence, void* self) {
  auto* file = static_cast<VirtualFile*>(self);
  const sf_count_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? file->position_ : length(self);
  sf_count_t target = 0;
  if (base < 0 || __builtin_add_overflow(base, offset, &target) || target < 0) return -1;
  return file->position_ = target;
}

sf_count_t VirtualFile::read(void* data, sf_count_t count, void* self) {
  auto* file = static_cast<VirtualFile*>(self);
  sf_count_t done = 0;
  while (done < count) {
    const ssize_t got = ::pread(file->descriptor_, static_cast<char*>(data) + done,
                                static_cast<std::size_t>(count - done), file->position_);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && file->error_ == 0) file->error_ = errno;
    if (got <= 0) break;
    done += got;
    file->position_ += got;
  }
  return done;
}

sf_count_t VirtualFile::write(const void* data, sf_count_t count, void* self) {
  auto* file = static_cast<VirtualFile*>(self);
  sf_count_t done = 0;
  while (done < count) {
    const ssize_t put = ::pwrite(file->descriptor_, static_cast<const char*>(data) + done,
                                 static_cast<std::size_t>(count - done), file->position_);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0 && file->error_ == 0) file->error_ = put < 0 ? errno : ENOSPC;
    if (put <= 0) break;
    done += put;
    file->position_ += put;
  }
  return done;
}

sf_count_t VirtualFile::tell(void* self) { return static_cast<VirtualFile*>(self)->position_; }

}  // namespace reseda::io::detail
