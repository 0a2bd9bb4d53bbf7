#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "io/image/image.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::io {

using tests::expect_error;

/// A file of tests/fuzz/corpus/image, made by other programs; its README says how.
inline std::filesystem::path foreign(const std::string& name) {
  return std::filesystem::path(RESEDA_SOURCE_DIR) / "tests/fuzz/corpus/image" / name;
}

inline std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The pixels of those files: (7 i^2 + 13 j + 3 i j + 50 c) mod 256 in channel c, row i, column j. @return [C,H,W]
inline at::Tensor pattern(std::int64_t channels, std::int64_t height, std::int64_t width) {
  const at::Tensor c = at::arange(channels, at::kLong).view({-1, 1, 1});
  const at::Tensor i = at::arange(height, at::kLong).view({-1, 1}), j = at::arange(width, at::kLong);
  return (7 * i * i + 13 * j + 3 * i * j + 50 * c).remainder(256).to(at::kFloat);
}

inline void expect_equal(const at::Tensor& got, const at::Tensor& expected) {
  ASSERT_EQ(got.sizes(), expected.sizes());
  EXPECT_EQ(got.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(got, expected)) << "largest difference " << (got - expected).abs().max().item<double>();
}

inline Image make_image(at::Tensor pixels, int bits = 8, SampleType type = SampleType::kUnsigned,
                        Alpha alpha = Alpha::kNone) {
  return Image{std::move(pixels), bits, type, alpha, {}};
}

/// What comes back of an image that is written and read.
inline Image there_and_back(const Image& image, const std::string& extension, const ImageWriteOptions& options = {}) {
  return decode_image(encode_image(image, extension, options).bytes, "made" + extension);
}

}  // namespace reseda::io
