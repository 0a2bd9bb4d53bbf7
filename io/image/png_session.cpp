#include "io/image/png_session.hpp"

#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

// What text and colour profiles may become when they are unpacked, and how many of them there may be.
constexpr png_alloc_size_t kMaxChunkBytes = 8'000'000;
constexpr png_uint_32 kMaxChunks = 64;

}  // namespace

PngSession::PngSession(Mode mode) : mode_(mode) {
  const auto silent = [](png_structp, png_const_charp) {};
  png_ = mode == Mode::kRead ? png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &fail, silent)
                             : png_create_write_struct(PNG_LIBPNG_VER_STRING, this, &fail, silent);
  RESEDA_INVARIANT(png_ != nullptr);
  info_ = png_create_info_struct(png_);
  RESEDA_INVARIANT(info_ != nullptr);
  png_set_benign_errors(png_, 1);
  if (mode == Mode::kRead) {
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(png_, kMaxChunkBytes);
    png_set_chunk_cache_max(png_, kMaxChunks);
  }
  const bool kept =
      guard([&] { png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_ALWAYS, kColorChunks, kColorChunkCount); });
  RESEDA_INVARIANT(kept);
}

PngSession::~PngSession() {
  if (mode_ == Mode::kRead) {
    png_destroy_read_struct(&png_, &info_, nullptr);
  } else {
    png_destroy_write_struct(&png_, &info_);
  }
}

void PngSession::fail(png_structp png, png_const_charp message) {
  static_cast<PngSession*>(png_get_error_ptr(png))->failure_ = message;
  png_longjmp(png, 1);
}

}  // namespace reseda::io::detail
