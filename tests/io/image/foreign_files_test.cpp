#include <vector>

#include "tests/io/image/image_fixture.hpp"

namespace reseda::io {
namespace {

struct ForeignFile {
  std::string name;
  at::Tensor pixels;
  int bits = 8;
  SampleType type = SampleType::kUnsigned;
  Alpha alpha = Alpha::kNone;
};

at::Tensor grey() { return pattern(1, 9, 13); }
at::Tensor bilevel() { return 255 * grey().remainder(2); }

/// The palette of the files: entry v is (v, 255 - v, 7 v) at pixels v = pattern mod 4.
at::Tensor paletted() {
  const at::Tensor v = grey().remainder(4);
  return at::cat({v, 255 - v, 7 * v});
}

std::vector<ForeignFile> foreign_files() {
  const auto unsigned_type = SampleType::kUnsigned, signed_type = SampleType::kSigned, real = SampleType::kFloat;
  const at::Tensor opacity = at::where(grey().remainder(4) == 0, 0, 255);
  return {{"grey8.png", grey()},
          {"grey16.png", 251 * grey(), 16},
          {"rgba16.png", 251 * pattern(4, 9, 13), 16, unsigned_type, Alpha::kStraight},
          {"interlaced.png", pattern(3, 9, 13)},
          {"bilevel.png", bilevel()},
          {"palette.png", at::cat({paletted(), at::where(grey().remainder(4) == 1, 100, opacity).to(at::kFloat)}), 8,
           unsigned_type, Alpha::kStraight},
          {"metadata.png", pattern(3, 9, 13)},
          {"profile.png", pattern(3, 9, 13)},
          {"grey8.tif", grey()},
          {"lzw16.tif", 251 * grey(), 16},
          {"deflate_tiled16.tif", 251 * pattern(1, 35, 40), 16},
          {"big_endian_bigtiff.tif", 251 * grey(), 16},
          {"float32.tif", (grey().to(at::kDouble) / 7 - 3).to(at::kFloat), 32, real},
          {"float32_deflate.tif", (grey().to(at::kDouble) / 7 - 3).to(at::kFloat), 32, real},
          {"float16.tif", grey() / 8 - 3, 32, real},
          {"float64.tif", grey() / 8 - 3, 32, real},
          {"int8.tif", grey() - 128, 8, signed_type},
          {"int16.tif", 100 * grey() - 12000, 16, signed_type},
          {"int32.tif", 60000 * grey() - 8000000, 32, signed_type},
          {"uint32.tif", 60000 * grey(), 32},
          {"planar_rgb.tif", pattern(3, 9, 13)},
          {"white_is_zero.tif", grey()},
          {"rgb_alpha.tif", pattern(4, 9, 13), 8, unsigned_type, Alpha::kPremultiplied},
          {"five_bands.tif", pattern(5, 9, 13)},
          {"packbits.tif", grey()},
          {"bilevel.tif", bilevel()},
          {"palette.tif", paletted()},
          {"geo.tif", 251 * grey(), 16},
          {"overview.tif", grey()},
          {"exif.tif", pattern(3, 9, 13)},
          {"grey16.pgm", 251 * grey(), 16},
          {"colour.ppm", pattern(3, 9, 13)}};
}

TEST(ForeignFiles, AreReadAsTheyWereMade) {
  for (const ForeignFile& file : foreign_files()) {
    SCOPED_TRACE(file.name);
    const Image image = read_image(foreign(file.name));
    expect_equal(image.pixels, file.pixels);
    EXPECT_EQ(image.bits, file.bits);
    EXPECT_EQ(image.type, file.type);
    EXPECT_EQ(image.alpha, file.alpha);
  }
}

TEST(ForeignFiles, ComeBackFromTiffAsTheyWere) {
  for (const ForeignFile& file : foreign_files()) {
    for (const TiffCompression compression : {TiffCompression::kNone, TiffCompression::kDeflate}) {
      SCOPED_TRACE(file.name);
      const Image image = read_image(foreign(file.name));
      const Image back = there_and_back(image, ".tif", {.tiff_compression = compression});
      expect_equal(back.pixels, image.pixels);
      EXPECT_EQ(back.bits, image.bits);
      EXPECT_EQ(back.type, image.type);
      EXPECT_EQ(back.alpha, image.alpha);
      EXPECT_EQ(back.metadata.icc, image.metadata.icc);
      EXPECT_EQ(back.metadata.xmp, image.metadata.xmp);
      EXPECT_EQ(back.metadata.orientation, image.metadata.orientation);
    }
  }
}

// Recorded with Pillow 13: sums over all samples of x and of x times its 1-based place (row, column, channel) mod
// 1000003.
TEST(ForeignFiles, JpegEqualsPillow) {
  const auto sums = [](const at::Tensor& pixels) {
    const at::Tensor x = pixels.permute({1, 2, 0}).flatten().to(at::kLong);
    return std::pair(x.sum().item<std::int64_t>(),
                     (x * at::arange(1, x.size(0) + 1).to(at::kLong)).remainder(1000003).sum().item<std::int64_t>());
  };
  EXPECT_EQ(sums(read_image(foreign("grey.jpg")).pixels), std::pair(std::int64_t{81600}, std::int64_t{46810630}));
  for (const char* name : {"colour.jpg", "progressive.jpg"}) {
    EXPECT_EQ(sums(read_image(foreign(name)).pixels), std::pair(std::int64_t{300481}, std::int64_t{501350869})) << name;
  }
}

TEST(ForeignFiles, WhatIsNotReadIsSaid) {
  const auto expect_refusal = [](const std::string& name, const std::string& words) {
    expect_error(Errc::kInput, foreign(name).string() + ": " + words, [&] { read_image(foreign(name)); });
  };
  expect_refusal("animation.png", "is an animation of 2 frames, expected a still image");
  expect_refusal("pages.tif", "holds 2 pages, expected one; split it into files");
  expect_refusal("cmyk.jpg", "has 4 channels, as CMYK images have; expected grey or RGB");
}

}  // namespace
}  // namespace reseda::io
