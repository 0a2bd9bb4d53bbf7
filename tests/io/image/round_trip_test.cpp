#include <cmath>
#include <limits>

#include "tests/io/image/image_fixture.hpp"

namespace reseda::io {
namespace {

/// Every value of the type at least once where the image is large enough.
at::Tensor all_values(std::int64_t channels, std::int64_t height, std::int64_t width, std::int64_t count) {
  return (at::arange(channels * height * width, at::kLong) * 7919)
      .remainder(count)
      .view({channels, height, width})
      .to(at::kFloat);
}

TEST(RoundTrip, EightAndSixteenBitsAreExact) {
  for (const int bits : {8, 16}) {
    const std::int64_t count = std::int64_t{1} << bits;
    for (const auto& [channels, alpha] :
         {std::pair{1, Alpha::kNone}, {2, Alpha::kStraight}, {3, Alpha::kNone}, {4, Alpha::kStraight}}) {
      const Image image = make_image(all_values(channels, 257, 263, count), bits, SampleType::kUnsigned, alpha);
      for (const char* extension : {".png", ".tif", ".TIFF", ".pgm"}) {
        if (extension == std::string(".pgm") && alpha != Alpha::kNone) continue;
        SCOPED_TRACE(testing::Message() << extension << " " << bits << " bits, " << channels << " channels");
        const Image back = there_and_back(image, extension);
        expect_equal(back.pixels, image.pixels);
        EXPECT_EQ(back.bits, bits);
        EXPECT_EQ(back.alpha, alpha);
      }
    }
  }
}

TEST(RoundTrip, TiffHoldsSignedFloatAndManyChannels) {
  const at::Tensor floats = at::sin(at::arange(5 * 70 * 90, at::kFloat)).view({5, 70, 90}) * 1e30;
  expect_equal(there_and_back(make_image(floats, 32, SampleType::kFloat), ".tif").pixels, floats);
  for (const int bits : {8, 16, 32}) {
    const std::int64_t count = std::int64_t{1} << std::min(bits, 24);
    const Image image = make_image(all_values(3, 90, 300, count) - static_cast<double>(count / 2), bits,
                                   SampleType::kSigned, Alpha::kPremultiplied);
    const Image back = there_and_back(image, ".tif");
    expect_equal(back.pixels, image.pixels);
    EXPECT_EQ(back.type, SampleType::kSigned);
    EXPECT_EQ(back.bits, bits);
    EXPECT_EQ(back.alpha, Alpha::kPremultiplied);
  }
}

TEST(RoundTrip, SmallestShapes) {
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 70000}, {70000, 1}, {2, 3}}) {
    const Image image = make_image(all_values(1, height, width, 256));
    for (const std::string& extension : image_extensions()) {
      if (extension.starts_with(".j")) continue;
      expect_equal(there_and_back(image, extension).pixels, image.pixels);
    }
  }
}

TEST(RoundTrip, JpegIsClose) {
  const at::Tensor i = at::arange(64, at::kFloat).view({-1, 1}), j = at::arange(80, at::kFloat);
  const at::Tensor smooth = at::stack({3 * i + 0 * j, 2 * j + 0 * i, i + j});
  const Image back = there_and_back(make_image(smooth), ".jpg");
  EXPECT_LT((back.pixels - smooth).abs().max().item<double>(), 4.0);
  EXPECT_LT((there_and_back(make_image(smooth.slice(0, 0, 1)), ".jpeg").pixels - smooth.slice(0, 0, 1))
                .abs()
                .max()
                .item<double>(),
            3.0);
  EXPECT_LT(encode_image(make_image(smooth), ".jpg", {.jpeg_quality = 20}).bytes.size(),
            encode_image(make_image(smooth), ".jpg").bytes.size());
  EXPECT_EQ(there_and_back(make_image(at::full({1, 1, 1}, 200.0F)), ".jpg").pixels.item<double>(), 200.0);
}

TEST(RoundTrip, ValuesAreRoundedToEvenAndClipped) {
  const at::Tensor values = at::tensor({-3.0F, -0.4F, 0.5F, 1.5F, 254.6F, 255.4F, 300.0F}).view({1, 1, 7});
  const EncodedImage written = encode_image(make_image(values), ".png");
  EXPECT_EQ(written.clipped, 2);
  expect_equal(decode_image(written.bytes, "x").pixels,
               at::tensor({0.F, 0.F, 0.F, 2.F, 255.F, 255.F, 255.F}).view({1, 1, 7}));
  const EncodedImage with_sign = encode_image(make_image(values - 250, 8, SampleType::kSigned), ".tif");
  EXPECT_EQ(with_sign.clipped, 4);
}

TEST(RoundTrip, SameImageSameBytes) {
  const Image image = read_image(foreign("metadata.png"));
  for (const char* extension : {".png", ".tif", ".jpg"}) {
    EXPECT_EQ(encode_image(image, extension).bytes, encode_image(image, extension).bytes) << extension;
  }
}

TEST(RoundTrip, WhatAContainerCannotHoldIsSaid) {
  const auto refuse = [](const Image& image, const char* extension, const std::string& words) {
    expect_error(Errc::kOutput, words, [&] { encode_image(image, extension); });
  };
  const at::Tensor one = at::zeros({1, 2, 2});
  refuse(make_image(one, 32, SampleType::kFloat), ".png", "PNG holds 8 or 16-bit unsigned samples, got 32 bits");
  refuse(make_image(one, 16, SampleType::kSigned), ".png", "PNG holds 8 or 16-bit unsigned samples");
  refuse(make_image(at::zeros({5, 2, 2})), ".png", "PNG holds 1 or 3 channels and alpha, got 5 channels");
  refuse(make_image(at::zeros({2, 2, 2})), ".png", "got 2 channels");
  refuse(make_image(at::zeros({4, 2, 2}), 8, SampleType::kUnsigned, Alpha::kPremultiplied), ".png", "write .tif");
  refuse(make_image(one, 16), ".jpg", "JPEG holds 8-bit unsigned samples, got 16 bits; write .png or .tif");
  refuse(make_image(at::zeros({1, 1, 70000})), ".jpg", "JPEG holds sides up to 65500 pixels, got 70000 x 1");
  refuse(make_image(at::zeros({2, 2, 2}), 8, SampleType::kUnsigned, Alpha::kStraight), ".jpg", "without alpha");
  refuse(make_image(at::zeros({4, 2, 2})), ".ppm", "PGM and PPM hold 1 or 3 channels");
  refuse(make_image(one), ".bmp", "cannot write an image named '.bmp', expected .png");
  refuse(make_image(one), "", "cannot write an image named ''");
  refuse(make_image(at::zeros({1, 0, 2})), ".png", "must have pixels");
  expect_error(Errc::kUsage, "JPEG quality must be 1 to 100, got 0",
               [&] { encode_image(make_image(one), ".jpg", {.jpeg_quality = 0}); });
}

TEST(RoundTrip, NonFinitePixelsAreNamed) {
  at::Tensor pixels = at::zeros({2, 3, 4});
  pixels[1][2][3] = std::numeric_limits<float>::quiet_NaN();
  expect_error(Errc::kNumeric, "pixel is NaN at row 2, column 3, channel 1",
               [&] { encode_image(make_image(pixels, 32, SampleType::kFloat), ".tif"); });
  pixels[0][1][0] = -std::numeric_limits<float>::infinity();
  expect_error(Errc::kNumeric, "pixel is infinite at row 1, column 0, channel 0",
               [&] { encode_image(make_image(pixels), ".png"); });
}

TEST(WriteImage, AppearsWholeOrNotAtAll) {
  const tests::TemporaryFolder folder;
  const Image image = make_image(pattern(3, 9, 13));
  EXPECT_EQ(write_image(folder / "a.png", image), 0);
  expect_equal(read_image(folder / "a.png").pixels, image.pixels);
  const std::string before = bytes_of(folder / "a.png");
  expect_error(Errc::kOutput, "a.png: cannot write: it exists already", [&] {
    write_image(folder / "a.png", make_image(pattern(3, 9, 13) + 1), {.existing = Existing::kRefuse});
  });
  at::Tensor broken = pattern(3, 9, 13);
  broken[0][0][0] = std::numeric_limits<float>::quiet_NaN();
  expect_error(Errc::kNumeric, "a.png: image to write: pixel is NaN",
               [&] { write_image(folder / "a.png", make_image(broken)); });
  EXPECT_EQ(bytes_of(folder / "a.png"), before);
  EXPECT_EQ(write_image(folder / "a.png", make_image(pattern(3, 9, 13) + 100)),
            (pattern(3, 9, 13) > 155).sum().item<std::int64_t>());
  EXPECT_NE(bytes_of(folder / "a.png"), before);
  expect_error(Errc::kOutput, "none/a.png: cannot write", [&] { write_image(folder / "none/a.png", image); });
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1) << "nothing half-written is left";
}

}  // namespace
}  // namespace reseda::io
