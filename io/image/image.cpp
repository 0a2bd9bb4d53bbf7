#include "io/image/image.hpp"

#include <png.h>

#include <ATen/ATen.h>

#include "modules/core/error.hpp"

namespace reseda::io {

Image read_image(const std::filesystem::path& file) {
  png_image header = {};
  header.version = PNG_IMAGE_VERSION;
  RESEDA_REQUIRE(png_image_begin_read_from_file(&header, file.c_str()) != 0, Errc::kInput, file.string(), ": ",
                 header.message);
  header.format = PNG_FORMAT_GRAY;
  const at::Tensor bytes = at::empty({1, header.height, header.width}, at::kByte);
  RESEDA_REQUIRE(png_image_finish_read(&header, nullptr, bytes.data_ptr(), 0, nullptr) != 0, Errc::kInput,
                 file.string(), ": ", header.message);
  return {bytes.to(at::kFloat), 8};
}

}  // namespace reseda::io
