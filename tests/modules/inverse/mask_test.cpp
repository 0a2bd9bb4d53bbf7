#include "modules/inverse/operators/mask.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/expect_error.hpp"

namespace reseda::inverse {
namespace {

using tests::expect_error;

std::int64_t missing(const at::Tensor& mask) { return mask.eq(0).sum().item<std::int64_t>(); }

TEST(Mask, Box) {
  const at::Tensor mask = box_mask(4, 6, {1, 2, 2, 3});
  EXPECT_EQ(missing(mask), 6);
  EXPECT_EQ(missing(mask.slice(0, 1, 3).slice(1, 2, 5)), 6);
  EXPECT_TRUE(make_mask({}, 8, 12).equal(box_mask(8, 12, {2, 3, 4, 6})));
}

TEST(Mask, RandomPixelsAreCounted) {
  const at::Tensor mask = random_mask(20, 30, 0.35, 5);
  EXPECT_EQ(missing(mask), 210);
  EXPECT_TRUE(mask.equal(random_mask(20, 30, 0.35, 5)));
  EXPECT_FALSE(mask.equal(random_mask(20, 30, 0.35, 6)));
  EXPECT_EQ(missing(random_mask(4, 4, 0, 1)), 0);
  EXPECT_EQ(missing(random_mask(4, 4, 0.999, 1)), 15);
  // Spread over the image, not over its first rows.
  EXPECT_NEAR(missing(random_mask(64, 64, 0.5, 2).slice(0, 0, 32)), 1024, 100);
}

TEST(Mask, StrokesReachTheShare) {
  for (const double share : {0.0, 0.1, 0.2, 0.6}) {
    const at::Tensor mask = stroke_mask(64, 48, share, 9);
    const double got = static_cast<double>(missing(mask)) / (64 * 48);
    EXPECT_GE(got, share);
    EXPECT_LE(got, share + 0.05);
    EXPECT_TRUE(mask.equal(stroke_mask(64, 48, share, 9)));
  }
  EXPECT_FALSE(stroke_mask(64, 48, 0.2, 9).equal(stroke_mask(64, 48, 0.2, 10)));
  // Strokes, not pixels: most neighbours of a missing pixel are missing.
  const at::Tensor mask = stroke_mask(64, 64, 0.25, 1), holes = 1 - mask;
  const double pairs = (holes.slice(1, 1) * holes.slice(1, 0, 63)).sum().item<double>();
  EXPECT_GT(pairs, 0.7 * holes.sum().item<double>());
  EXPECT_GE(missing(stroke_mask(1, 1000, 0.3, 1)), 300);
}

TEST(Mask, UnpacksBits) {
  const at::Tensor packed = at::tensor(std::vector<int>{0b10110000, 0b01000000}, at::kByte);
  const at::Tensor bits = unpack_masks(packed, {2, 5});
  EXPECT_TRUE(bits.equal(at::tensor(std::vector<int>{1, 0, 1, 1, 0, 0, 0, 0, 0, 1}, at::kByte).reshape({2, 5})));
  expect_error(Errc::kInput, "packed masks", [&] { unpack_masks(packed, {2, 3}); });
  expect_error(Errc::kInput, "packed masks", [&] { unpack_masks(packed, {3, 6}); });
  expect_error(Errc::kInput, "packed masks", [&] { unpack_masks(packed.to(at::kInt), {2, 5}); });
  expect_error(Errc::kInput, "packed masks", [&] { unpack_masks(packed, {-2, -5}); });
}

TEST(Mask, Refuses) {
  const auto refuse = [](const std::string& text, const MaskConfig& config) {
    expect_error(Errc::kUsage, text, [&] { make_mask(config, 8, 8); });
  };
  refuse("operator.mask.kind", {.kind = "circle"});
  refuse("operator.mask.missing", {.kind = "random", .missing = 1.0});
  refuse("operator.mask.missing", {.kind = "random", .missing = -0.1});
  refuse("operator.mask.missing", {.kind = "strokes", .missing = NAN});
  refuse("operator.mask.box", {.box = {1, 2, 3}});
  refuse("inside of the 8 x 8 image", {.box = {0, 0, 9, 1}});
  refuse("inside of the 8 x 8 image", {.box = {-1, 0, 2, 2}});
  refuse("inside of the 8 x 8 image", {.box = {7, 7, 2, 1}});
  refuse("leave a pixel", {.box = {0, 0, 8, 8}});
  refuse("leave none", {.kind = "strokes", .missing = 0.9999});
}

}  // namespace
}  // namespace reseda::inverse
