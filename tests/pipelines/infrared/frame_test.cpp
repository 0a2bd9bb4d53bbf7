#include "pipelines/infrared/frame.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"

namespace reseda::tests {
namespace {

using infrared::Frame;
using infrared::frame_image;
using infrared::make_frame;
using infrared::ValueRange;

io::Image image_of(const at::Tensor& pixels, int bits, io::SampleType type = io::SampleType::kUnsigned,
                   io::Alpha alpha = io::Alpha::kNone) {
  return io::Image{pixels.to(at::kFloat), bits, type, alpha, {}};
}

/// Every value of 16 bits once.
io::Image all_counts() { return image_of(at::arange(65536, at::kInt).view({1, 256, 256}), 16); }

TEST(Frame, EightBitsAreZeroTo255) {
  const io::Image image = image_of(at::arange(256, at::kInt).view({1, 16, 16}), 8);
  const ValueRange range = infrared::natural_range(image);
  EXPECT_EQ(range.low, 0);
  EXPECT_EQ(range.high, 255);
  const Frame frame = make_frame(image, range, "f");
  EXPECT_EQ(frame.pixels.sizes(), at::IntArrayRef({1, 1, 16, 16}));
  EXPECT_FLOAT_EQ(frame.pixels.min().item<float>(), -1);
  EXPECT_FLOAT_EQ(frame.pixels.max().item<float>(), 1);
  EXPECT_TRUE(at::equal(frame_image(frame, frame.pixels, {}).pixels.round(), image.pixels));
}

TEST(Frame, EveryValueOf16BitsComesBackWhateverTheRange) {
  const io::Image image = all_counts();
  for (const ValueRange& range :
       {infrared::natural_range(image), ValueRange{3500, 3777}, {0, 65535}, {12345.6, 65000.25}}) {
    const Frame frame = make_frame(image, range, "f");
    const io::Image back = frame_image(frame, frame.pixels, {});
    EXPECT_TRUE(at::equal(back.pixels.round(), image.pixels)) << range.low << " to " << range.high;
    EXPECT_EQ(back.bits, 16);
    EXPECT_TRUE((frame.pixels.flatten().diff() > 0).all().item<bool>()) << "larger counts are larger values";
  }
}

TEST(Frame, TheRangeFollowsTheContents) {
  const ValueRange plain = infrared::robust_range(at::linspace(100, 300, 10000));
  EXPECT_DOUBLE_EQ(plain.low, 100);
  EXPECT_DOUBLE_EQ(plain.high, 300);
  at::Tensor dead = at::linspace(100, 300, 10000);
  dead[17] = 65535;
  const ValueRange robust = infrared::robust_range(dead);
  EXPECT_DOUBLE_EQ(robust.low, 100);
  EXPECT_NEAR(robust.high, 500, 1) << "one span beyond the percentile";
  const ValueRange constant = infrared::robust_range(at::full({9}, 7.0));
  EXPECT_EQ(constant.low, 6);
  EXPECT_EQ(constant.high, 8);
  at::Tensor nearly = at::full({10000}, 7.0);
  nearly[3] = 9;
  EXPECT_EQ(infrared::robust_range(nearly).high, 9);
}

TEST(Frame, NothingIsClippedByTheRange) {
  at::Tensor counts = at::full({1, 1, 4}, 20.0);
  counts[0][0][1] = 60000;
  counts[0][0][2] = 0;
  const Frame frame = make_frame(image_of(counts, 16), {10, 30}, "f");
  EXPECT_FLOAT_EQ(frame.pixels[0][0][0][0].item<float>(), 0);
  EXPECT_FLOAT_EQ(frame.pixels[0][0][0][2].item<float>(), -2);
  EXPECT_GT(frame.pixels.max().item<float>(), 5000);
  EXPECT_TRUE(at::equal(frame_image(frame, frame.pixels, {}).pixels.round(), counts.to(at::kFloat)));
}

TEST(Frame, FloatsComeBackToAMillionthOfTheSpan) {
  const at::Tensor kelvin = at::linspace(273.15, 313.15, 12).view({1, 3, 4});
  const io::Image image = image_of(kelvin, 32, io::SampleType::kFloat);
  const Frame frame = make_frame(image, infrared::natural_range(image), "f");
  EXPECT_LE((frame_image(frame, frame.pixels, {}).pixels - image.pixels).abs().max().item<double>(), 40.0 / (1 << 20));
}

TEST(Frame, GreyInThreeChannelsStaysSo) {
  const at::Tensor grey = at::arange(6).view({1, 2, 3});
  const Frame frame = make_frame(image_of(grey.expand({3, 2, 3}), 8), {0, 255}, "f");
  EXPECT_EQ(frame.channels, 3);
  EXPECT_EQ(frame.pixels.size(1), 1);
  const io::Image back = frame_image(frame, frame.pixels, {});
  ASSERT_EQ(back.pixels.size(0), 3);
  EXPECT_TRUE(at::equal(back.pixels[2].round(), grey[0].to(at::kFloat)));
}

TEST(Frame, AlphaIsKeptApart) {
  const at::Tensor bands = at::stack({at::full({2, 2}, 9), at::full({2, 2}, 200)});
  const Frame frame = make_frame(image_of(bands, 8, io::SampleType::kUnsigned, io::Alpha::kStraight), {0, 255}, "f");
  EXPECT_EQ(frame.channels, 1);
  const io::Image back = frame_image(frame, frame.pixels, at::full({1, 1, 2, 2}, 300.0));
  EXPECT_EQ(back.pixels.size(0), 2);
  EXPECT_EQ(back.pixels[1].max().item<float>(), 255) << "interpolated alpha may overshoot";
}

TEST(Frame, RefusesColoursAndBands) {
  at::Tensor colours = at::full({3, 2, 2}, 5);
  colours[2][1][0] = 6;
  expect_error(Errc::kInput, "f.png: is a colour picture (row 1, column 0 is 5, 5, 6)", [&] {
    make_frame(image_of(colours, 8), {0, 255}, "f.png");
  });
  expect_error(Errc::kInput, "has 4 bands", [&] { make_frame(image_of(at::zeros({4, 2, 2}), 8), {0, 255}, "f"); });
}

TEST(Frame, TheSizeOfAPixelFollows) {
  io::Image image = image_of(at::zeros({1, 2, 2}), 8);
  image.metadata.resolution = io::Resolution{100, 100, io::ResolutionUnit::kCentimetre};
  const Frame frame = make_frame(image, {0, 255}, "f");
  EXPECT_DOUBLE_EQ(frame_image(frame, at::zeros({1, 1, 8, 8}), {}).metadata.resolution->x, 400);
}

TEST(Frame, ParsesRanges) {
  const ValueRange range = infrared::parse_range("-20.5:1e3");
  EXPECT_EQ(range.low, -20.5);
  EXPECT_EQ(range.high, 1000);
  for (const char* text : {"", "1", "1:", ":2", "2:1", "1:1", "a:b", "1:2:3", "nan:1", "0:inf"})
    expect_error(Errc::kUsage, "--range", [&] { infrared::parse_range(text); });
}

}  // namespace
}  // namespace reseda::tests
