// Sampling masks and NumPy's random numbers; the expected values were made with NumPy 2.4.
#include "modules/inverse/kspace_mask.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/support/expect_error.hpp"

namespace reseda::inverse {
namespace {

using tests::expect_error;

/// The first row of a mask as text of 0 and 1.
std::string lines_of(const at::Tensor& mask) {
  std::string text;
  for (std::int64_t i = 0; i < mask.size(1); ++i) text += mask[0][i].item<float>() == 1 ? '1' : '0';
  return text;
}

std::vector<std::uint32_t> codes(std::string_view name) { return {name.begin(), name.end()}; }

TEST(NumpyRandom, EqualsNumpy) {
  NumpyRandom random(5489);
  EXPECT_DOUBLE_EQ(random.uniform(), 0.8147236863931789);
  EXPECT_DOUBLE_EQ(random.uniform(), 0.9057919370756192);
  for (const double expected : {-0.7732891502316195, 0.2543161358565558, 0.3686158844909267})
    EXPECT_DOUBLE_EQ(random.normal(), expected);
  for (const std::int64_t expected : {7, 4, 9, 1, 1, 3}) EXPECT_EQ(random.below(10), expected);
}

TEST(NumpyRandom, TakesSequencesAsSeeds) {
  NumpyRandom random(codes("file1000001.h5"));
  EXPECT_DOUBLE_EQ(random.uniform(), 0.612301999047653);
  for (const std::int64_t expected : {543, 875, 457, 929, 356}) EXPECT_EQ(random.below(1000), expected);
  EXPECT_EQ(random.below(1), 0);
  expect_error(Errc::kUsage, "at least one", [] { NumpyRandom(std::vector<std::uint32_t>{}); });
}

TEST(KspaceMask, EqualsFastMri) {
  const auto lines = [](const char* type, std::int64_t width, double fraction) {
    return lines_of(kspace_mask({.type = type, .acceleration = 4, .center_fraction = fraction, .seed = 7}, 2, width));
  };
  EXPECT_EQ(lines("random", 20, 0.1), "10000001011001000001");
  EXPECT_EQ(lines("random", 23, 0.08), "10000001000111000001000");
  EXPECT_EQ(lines("equispaced_fraction", 20, 0.1), "00001000011000001000");
  EXPECT_EQ(lines("equispaced_fraction", 23, 0.08), "00001000001110010000010");
  EXPECT_EQ(lines("equispaced", 20, 0.1), "00010001011100010001");
  EXPECT_EQ(lines("equispaced", 23, 0.08), "00010001000110010001000");
  EXPECT_EQ(lines("magic", 20, 0.1), "00010001011000010001");
  EXPECT_EQ(lines("magic", 23, 0.08), "10001000100110001000100");
  NumpyRandom random(codes("file1000001.h5"));
  EXPECT_EQ(
      lines_of(kspace_mask({.type = "random", .acceleration = 4, .center_fraction = 0.1, .seed = 0}, 1, 20, random)),
      "00010011011100010000");
}

TEST(KspaceMask, KeepsTheMiddleAndTheShape) {
  for (const char* type : {"random", "equispaced", "equispaced_fraction", "magic", "gaussian1d", "uniform1d"}) {
    const at::Tensor mask = kspace_mask({.type = type, .acceleration = 4, .center_fraction = 0.1, .seed = 1}, 6, 40);
    EXPECT_EQ(mask.sizes(), (std::vector<std::int64_t>{6, 40})) << type;
    EXPECT_TRUE(mask.slice(1, 18, 22).eq(1).all().item<bool>()) << type;
    EXPECT_TRUE(mask.eq(mask.slice(0, 0, 1)).all().item<bool>()) << type;
    EXPECT_LE(mask.mean().item<double>(), 0.4) << type;
    EXPECT_GE(mask.mean().item<double>(), 0.15) << type;
  }
  for (const char* type : {"gaussian2d", "uniformrandom2d"}) {
    const at::Tensor mask = kspace_mask({.type = type, .acceleration = 4, .center_fraction = 0, .seed = 1}, 30, 40);
    EXPECT_LE(mask.mean().item<double>(), 0.25) << type;
    EXPECT_GE(mask.mean().item<double>(), 0.1) << type;
    EXPECT_FALSE(mask.eq(mask.slice(0, 0, 1)).all().item<bool>()) << type;
  }
  EXPECT_TRUE(kspace_mask({.type = "full"}, 3, 4).eq(1).all().item<bool>());
}

TEST(KspaceMask, SaysWhatItRefuses) {
  expect_error(Errc::kUsage, "mask.type", [] { kspace_mask({.type = "spiral"}, 4, 4); });
  expect_error(Errc::kUsage, "mask.acceleration", [] { kspace_mask({.acceleration = 0.5}, 4, 4); });
  expect_error(Errc::kUsage, "mask.center_fraction", [] { kspace_mask({.center_fraction = 2}, 4, 4); });
  expect_error(Errc::kUsage, "mask.seed", [] { kspace_mask({.seed = -1}, 4, 4); });
  expect_error(Errc::kUsage, "leaves nothing", [] { kspace_mask({.center_fraction = 0.5}, 4, 32); });
}

}  // namespace
}  // namespace reseda::inverse
