#pragma once

#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

// jpeglib.h needs size_t and FILE before it.
#include <jpeglib.h>

namespace reseda::io::detail {

/// libjpeg's error handling: keeps its words and leaves by longjmp. What is run under guard() must hold no object with
/// a destructor.
class JpegErrors {
 public:
  JpegErrors();
  jpeg_error_mgr* manager() { return &manager_; }
  const std::string& failure() const { return failure_; }
  /// Ends the guarded calls from inside, e.g. from a progress monitor. @param message  a literal
  [[noreturn]] void stop(const char* message);

  /// Runs calls of libjpeg. @return false if one of them failed, or warned of data that are damaged
  template <class Body>
  bool guard(Body&& body) {
    if (setjmp(jump_) != 0) return false;
    body();
    return failure_.empty();
  }

 private:
  static void fail(j_common_ptr codec);
  static void warn(j_common_ptr codec, int level);

  jpeg_error_mgr manager_{};
  std::jmp_buf jump_{};
  std::string failure_;
};

/// How segments of an application begin.
inline constexpr std::string_view kExifStart{"Exif\0\0", 6}, kXmpStart{"http://ns.adobe.com/xap/1.0/\0", 29};
inline constexpr int kApp1 = JPEG_APP0 + 1, kApp2 = JPEG_APP0 + 2;

}  // namespace reseda::io::detail
