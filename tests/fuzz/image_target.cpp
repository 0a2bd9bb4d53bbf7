#include <ATen/ATen.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "io/image/image.hpp"
#include "modules/core/error.hpp"
#include "tests/fuzz/fuzz_targets.hpp"

namespace reseda::fuzz {

void image(std::span<const std::uint8_t> bytes) {
  // A few bytes can stand for a large image: its size is bounded here, as a caller bounds it.
  constexpr io::ImageLimits kLimits{1 << 18};
  io::Image read;
  try {
    read = io::decode_image({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "fuzz", kLimits);
  } catch (const Error& error) {
    if (error.code() != Errc::kInput || std::strchr(error.what(), '\n') != nullptr) std::abort();
    return;
  }
  // What was read can be written, whatever its metadata are, and comes back.
  const io::EncodedImage written = io::encode_image(read, ".tif", {.tiff_compression = io::TiffCompression::kNone});
  if (!at::equal(io::decode_image(written.bytes, "fuzz", kLimits).pixels, read.pixels)) std::abort();
}

}  // namespace reseda::fuzz
