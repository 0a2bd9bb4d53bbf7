#include "pipelines/medical/slices.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/expect_error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::medical {
namespace {

using tests::expect_error;

/// A NRRD file of int16 voxels, w fastest: value(d, h, w).
template <class Value>
std::string nrrd(std::int64_t depth, std::int64_t height, std::int64_t width, double thick, const Value& value) {
  std::string out =
      "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: " + std::to_string(width) + " " +
      std::to_string(height) + " " + std::to_string(depth) + "\nspace directions: (1,0,0) (0,1,0) (0,0," +
      std::to_string(thick) + ")\nspace origin: (0,0,0)\nendian: little\nencoding: raw\n\n";
  for (std::int64_t d = 0; d < depth; ++d)
    for (std::int64_t h = 0; h < height; ++h)
      for (std::int64_t w = 0; w < width; ++w) {
        const auto bits = static_cast<std::uint16_t>(static_cast<std::int16_t>(value(d, h, w)));
        out += {static_cast<char>(bits & 255), static_cast<char>(bits >> 8)};
      }
  return out;
}

TEST(SlicesTest, CutsAlongAllAxesAndScalesHounsfieldUnits) {
  const tests::TemporaryFolder folder;
  const std::string file =
      folder
          .write("ct.nrrd", nrrd(8, 9, 10, 1.5, [](auto d, auto h, auto w) { return 100 * d + 50 * h + 10 * w - 400; }))
          .string();
  const restoration::ImageSet set = slices_of(read_volumes({file}, {}, {}), 8);
  ASSERT_EQ(set.images.size(), 8U + 9U + 10U);
  EXPECT_EQ(set.names[0], "ct.nrrd, axis 0, slice 0");
  EXPECT_EQ(set.images[2].sizes(), at::IntArrayRef({1, 9, 10}));
  // (d, h, w) = (2, 3, 4): 200 + 150 + 40 - 400 = -10 HU, (-10 + 1000) / 2000
  EXPECT_NEAR(set.images[2][0][3][4].item<double>(), 0.495, 1e-6);
  EXPECT_NEAR(set.images[8 + 3][0][2][4].item<double>(), 0.495, 1e-6);
  EXPECT_NEAR(set.images[8 + 9 + 4][0][2][3].item<double>(), 0.495, 1e-6);
}

TEST(SlicesTest, LeavesOutThickAxesSmallSlicesAndAir) {
  const tests::TemporaryFolder folder;
  const auto ramp = [](auto, auto h, auto w) { return 40 * (h + w) - 300; };
  const std::string thick = folder.write("thick.nrrd", nrrd(8, 8, 8, 2.5, ramp)).string();
  EXPECT_EQ(slices_of(read_volumes({thick}, {}, {}), 8).images.size(), 8U);
  const std::string flat = folder.write("flat.nrrd", nrrd(8, 8, 4, 1, ramp)).string();
  EXPECT_EQ(slices_of(read_volumes({flat}, {}, {}), 8).images.size(), 4U);
  const std::string air =
      folder.write("air.nrrd", nrrd(9, 8, 8, 1, [&](auto d, auto h, auto w) { return d == 3 ? -1000 : ramp(d, h, w); }))
          .string();
  for (const std::string& name : slices_of(read_volumes({air}, {}, {}), 8).names)
    EXPECT_EQ(name.find("axis 0, slice 3"), std::string::npos);
  expect_error(Errc::kInput, "no slice of at least 64", [&] { slices_of(read_volumes({flat}, {}, {}), 64); });
}

TEST(SlicesTest, ScalesAnMrVolumeByItsPercentileAndCutsWhatIsFarAbove) {
  const tests::TemporaryFolder folder;
  // Values 0 .. 511 once each, and the percentile of 50 is value 255.
  const std::string file =
      folder.write("mr.nrrd", nrrd(8, 8, 8, 1, [](auto d, auto h, auto w) { return 64 * d + 8 * h + w; })).string();
  IntensityConfig config;
  config.mr_percentile = 50;
  const restoration::ImageSet set = slices_of(read_volumes({}, {file}, config), 8);
  EXPECT_NEAR(set.images[1][0][0][0].item<double>(), 64.0 / 255, 1e-6);
  EXPECT_NEAR(set.images[7][0][7][7].item<double>(), 1.25, 1e-6);
}

TEST(IntensityConfigTest, RefusesWhatCannotBe) {
  expect_error(Errc::kUsage, "ct_high", [] { IntensityConfig{.ct_low = 5, .ct_high = 5}.validate(); });
  expect_error(Errc::kUsage, "mr_percentile", [] { IntensityConfig{.mr_percentile = 0}.validate(); });
  expect_error(Errc::kUsage, "most", [] { IntensityConfig{.most = 0.5}.validate(); });
}

}  // namespace
}  // namespace reseda::medical
