#pragma once

#include <png.h>

#include <string>

namespace reseda::io::detail {

/// A libpng read or write structure that remembers why it failed. libpng leaves by longjmp: what is run under guard()
/// must hold no object with a destructor.
class PngSession {
 public:
  enum class Mode { kRead, kWrite };
  explicit PngSession(Mode mode);
  ~PngSession();
  PngSession(const PngSession&) = delete;
  PngSession& operator=(const PngSession&) = delete;

  png_structp png() const { return png_; }
  png_infop info() const { return info_; }
  /// libpng's own words for the failure.
  const std::string& failure() const { return failure_; }

  /// Runs calls of libpng. @return false if one of them failed
  template <class Body>
  bool guard(Body&& body) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    body();
    return true;
  }

 private:
  [[noreturn]] static void fail(png_structp png, png_const_charp message);

  Mode mode_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::string failure_;
};

/// Chunks that say how colours are meant, kept as they are: libpng's names, each with its closing zero.
inline constexpr unsigned char kColorChunks[] = "gAMA\0cHRM\0sRGB\0cICP";
inline constexpr int kColorChunkCount = 4;

inline constexpr const char* kXmpKeyword = "XML:com.adobe.xmp";

}  // namespace reseda::io::detail
