#pragma once

#include <sndfile.h>

#include <memory>

namespace reseda::io::detail {

struct SoundFileCloser {
  void operator()(SNDFILE* file) const { sf_close(file); }
};
using SoundFile = std::unique_ptr<SNDFILE, SoundFileCloser>;

/// A seekable descriptor as libsndfile's virtual file. It never looks at a file's name (libsndfile would guess formats
/// from extensions) and keeps the first system error, which libsndfile drops.
class VirtualFile {
 public:
  explicit VirtualFile(int descriptor) : descriptor_(descriptor) {}
  VirtualFile(const VirtualFile&) = delete;
  VirtualFile& operator=(const VirtualFile&) = delete;

  /// Opens it with libsndfile; null on failure. This object must outlive the result.
  SoundFile open(int mode, SF_INFO& info);
  /// errno of the first failed system call; 0 when there was none.
  int system_error() const { return error_; }

 private:
  static sf_count_t length(void* self);
  static sf_count_t seek(sf_count_t offset, int whence, void* self);
  static sf_count_t read(void* data, sf_count_t count, void* self);
  static sf_count_t write(const void* data, sf_count_t count, void* self);
  static sf_count_t tell(void* self);

  int descriptor_;
  sf_count_t position_ = 0;
  int error_ = 0;
};

}  // namespace reseda::io::detail
