#pragma once

#include <ATen/ATen.h>

#include <filesystem>
#include <string>

#include "io/image/image.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::infrared {

/// x = (7 i^2 + 13 j + 3 i j) mod 256 in row i, column j, [H,W] float32.
inline at::Tensor made_frame(std::int64_t height, std::int64_t width) {
  const at::Tensor i = at::arange(height, at::kLong).unsqueeze(1), j = at::arange(width, at::kLong);
  return (7 * i * i + 13 * j + 3 * i * j).remainder(256).to(at::kFloat);
}

/// Writes a frame of one or more bands below the folder and gives its path.
inline std::filesystem::path save_frame(const tests::TemporaryFolder& folder, const std::string& name,
                                        const at::Tensor& pixels, int bits = 8) {
  const std::filesystem::path file = folder / name;
  std::filesystem::create_directories(file.parent_path());
  io::Image image;
  image.pixels = pixels.dim() == 2 ? pixels.unsqueeze(0) : pixels;
  image.bits = bits;
  io::write_image(file, image);
  return file;
}

}  // namespace reseda::infrared
