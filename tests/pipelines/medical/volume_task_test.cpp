#include "pipelines/medical/volume_task.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/expect_error.hpp"

namespace reseda::medical {
namespace {

using restoration::Pairs;
using tests::expect_error;

VolumeSet one_volume(at::Tensor voxels, bool ct, std::array<double, 3> spacing = {1, 1, 1}) {
  return {.names = {"volume"}, .voxels = {std::move(voxels)}, .spacing_mm = {spacing}, .ct = {ct}};
}

/// Numbers that tell slices, rows and columns apart.
at::Tensor waves(std::int64_t depth, std::int64_t height, std::int64_t width) {
  const at::Tensor d = at::arange(depth, at::kFloat).view({-1, 1, 1}), h = at::arange(height, at::kFloat).view({-1, 1}),
                   w = at::arange(width, at::kFloat);
  return 0.5 + 0.2 * at::sin(0.4 * h + 0.1 * d) + 0.2 * at::cos(0.5 * w);
}

TEST(VolumeTaskTest, TheNetworkSeesTheSliceItsNeighboursInOrderAndTheNoise) {
  const at::Tensor slices = at::arange(5, at::kFloat).view({1, 5, 1, 1}).expand({1, 5, 2, 2});
  const Pairs pairs = slice_condition(slices, at::full({1}, 0.03F));
  EXPECT_EQ(pairs.y[0][0][0][0].item<double>(), 2);
  ASSERT_EQ(pairs.extra.size(1), 5);
  const double expected[] = {0, 1, 3, 4, 5 * 0.06 - 1};
  for (std::int64_t i = 0; i < 5; ++i) EXPECT_NEAR(pairs.extra[0][i][1][1].item<double>(), expected[i], 1e-6);
}

TEST(VolumeTaskTest, TomographicNoiseHasUnitVarianceNoMeanAndIndependentSlices) {
  CounterNoise noise(5);
  double white = 0;
  for (std::uint32_t i = 0; i < 12; ++i) {
    Chooser choose(7, "x", "kind", i);
    const at::Tensor n = tomographic_noise(3, 96, choose, noise, {"x", "noise", i});
    EXPECT_NEAR(n.square().mean().item<double>(), 1.0, 0.1) << i;
    EXPECT_NEAR((n[0] * n[1]).mean().item<double>(), 0.0, 0.12) << i;
    const double next = (n.narrow(2, 0, 95) * n.narrow(2, 1, 95)).mean().item<double>();
    EXPECT_GT(next, -0.1) << i;
    white = std::max(white, next);
  }
  EXPECT_GT(white, 0.3);  // some kinds are smooth
}

TEST(VolumeTaskTest, CtNoiseIsAddedAndItsLevelTold) {
  VolumeTaskConfig task{.modality = "ct", .neighbours = 1};
  const VolumeDegradation degradation{.noise_low = 0.02, .noise_high = 0.02, .sigma_error = 0};
  const DegradedVolumes source(one_volume(waves(9, 40, 48), true), task, degradation);
  const Pairs pairs = source.draw(6, 32, 1, 4);
  EXPECT_EQ(pairs.x0.sizes(), at::IntArrayRef({6, 1, 32, 32}));
  EXPECT_EQ(pairs.extra.sizes(), at::IntArrayRef({6, 3, 32, 32}));
  // 0.02 of numbers is 0.04 of [-1, 1]
  EXPECT_NEAR((pairs.y - pairs.x0).square().mean().sqrt().item<double>(), 0.04, 0.004);
  EXPECT_NEAR((pairs.y - pairs.x0).mean().item<double>(), 0.0, 0.002);
  EXPECT_NEAR(pairs.extra[0][2][0][0].item<double>(), 5 * 0.04 - 1, 1e-6);
  EXPECT_TRUE(source.draw(6, 32, 1, 4).y.equal(pairs.y));
  EXPECT_FALSE(source.draw(6, 32, 1, 5).y.equal(pairs.y));
  EXPECT_FALSE(source.draw(6, 32, 2, 4).y.equal(pairs.y));
}

TEST(VolumeTaskTest, MrNoiseIsRician) {
  VolumeTaskConfig task{.modality = "mr", .neighbours = 0};
  const VolumeDegradation degradation{.noise_low = 0.1, .noise_high = 0.1, .sigma_error = 0};
  // Nothing but a faint gradient, so that every crop counts as content.
  const at::Tensor ramp = at::linspace(0, 0.12, 64).expand({5, 64, 64}).contiguous();
  const DegradedVolumes source(one_volume(ramp, false), task, degradation);
  const Pairs pairs = source.draw(8, 64, 1, 0);
  EXPECT_GE(pairs.y.min().item<double>(), -1.0);
  // Where the signal is 0, Rayleigh: mean sigma sqrt(pi / 2).
  const at::Tensor dark = pairs.x0 < -1 + 2 * 0.004;
  const double mean = (0.5 * (pairs.y + 1)).masked_select(dark).mean().item<double>();
  EXPECT_NEAR(mean, 0.1 * std::sqrt(std::acos(-1.0) / 2), 0.01);
}

TEST(VolumeTaskTest, MrVolumesStandForSoftTissueAndBoneInAModelForCt) {
  const VolumeTaskConfig task{
      .modality = "ct", .intensity = {.ct_low = -1000, .ct_high = 1000, .least = -0.25, .most = 1.25}, .neighbours = 0};
  const VolumeDegradation degradation{.noise_low = 1e-6, .noise_high = 1e-6, .own_noise = 0.5, .sigma_error = 0};
  // One half dark, one half grey from 0.3 to 0.9.
  const at::Tensor row = at::cat({at::zeros({32}), at::linspace(0.3, 0.9, 32)});
  const DegradedVolumes source(one_volume(row.expand({5, 64, 64}).contiguous(), false), task, degradation);
  const Pairs pairs = source.draw(24, 64, 1, 0);
  EXPECT_LT((pairs.y - pairs.x0).abs().max().item<double>(), 1e-4);  // no noise of their own
  int rising = 0, falling = 0, bone = 0, air = 0;
  for (std::int64_t i = 0; i < 24; ++i) {
    // Whole slices along all axes: [0,H,W] holds the row along one of its axes, perhaps mirrored; or one value only.
    at::Tensor x = 1000.0 * pairs.x0[i][0];
    if (x.std(0).max().item<double>() > x.std(1).max().item<double>()) x = x.t();
    at::Tensor line = x[0];
    if (line.narrow(0, 32, 32).std().item<double>() < 1e-3) line = line.flip(0);
    const double dark = line[0].item<double>(), first = line[32].item<double>(), last = line[63].item<double>();
    const double contrast = (last - first) / 0.6;  // HU from number 0 to number 1
    EXPECT_GE(std::abs(contrast), 20 - 0.1);
    EXPECT_LE(std::abs(contrast), 200 + 0.1);
    EXPECT_NEAR(line[40].item<double>(), first + contrast * 0.6 * 8 / 31, 0.1);
    const double level = first - 0.3 * contrast, edge = dark - level;
    EXPECT_GE(level, -100 - 0.1);
    EXPECT_LE(level, 60 + 0.1);
    EXPECT_LE(std::abs(edge), 1000);
    ++(contrast > 0 ? rising : falling);
    ++(edge > 0 ? bone : air);
  }
  EXPECT_GT(rising, 2);
  EXPECT_GT(falling, 2);
  EXPECT_GT(bone, 2);
  EXPECT_GT(air, 2);
}

TEST(VolumeTaskTest, EnlargingStartsFromMeansOfPixels) {
  const VolumeTaskConfig task{.task = "super_resolution", .neighbours = 0};
  // Columns alternate: means of 2 x 2 pixels are grey, means of 2 x 1 are grey or change nothing, as the crop lies.
  const at::Tensor stripes = at::tensor({0.25F, 0.75F}).repeat({40, 40, 20}).contiguous();
  const DegradedVolumes source(one_volume(stripes, false), task, {});
  const Pairs pairs = source.draw(24, 32, 1, 0);
  int grey = 0, kept = 0;
  for (std::int64_t i = 0; i < 24; ++i) {
    if (pairs.x0[i].std().item<double>() < 0.1) continue;  // a crop without content
    const double error = (pairs.y[i] - pairs.x0[i]).abs().mean().item<double>();
    EXPECT_TRUE(error < 1e-5 || std::abs(error - 0.5) < 1e-5) << error;
    ++(error < 1e-5 ? kept : grey);
    EXPECT_NEAR(pairs.extra[i][0][0][0].item<double>(), 5 * 2 * kEnlargingSigma - 1, 1e-6);
  }
  EXPECT_GT(kept, 0);
  EXPECT_GT(grey, kept);
}

TEST(VolumeTaskTest, NeighboursAreOtherSlicesOfTheSamePlace) {
  VolumeTaskConfig task{.modality = "ct", .neighbours = 2};
  const VolumeDegradation degradation{.noise_low = 1e-6, .noise_high = 1e-6, .sigma_error = 0};
  const DegradedVolumes source(one_volume(waves(20, 40, 48), true), task, degradation);
  const Pairs pairs = source.draw(6, 32, 1, 0);
  const at::Tensor difference = (pairs.extra.narrow(1, 0, 4) - pairs.x0).abs().mean({2, 3});
  EXPECT_LT(difference.max().item<double>(), 0.6);
  EXPECT_GT(difference.mean().item<double>(), 1e-3);
}

TEST(VolumeTaskTest, RefusesVolumesWithoutAPlaceForCropsAndSettingsThatCannotBe) {
  expect_error(Errc::kInput, "volume: too small for training crops of 64 pixels",
               [] { DegradedVolumes(one_volume(waves(9, 40, 48), true), {}, {}).draw(1, 64, 0, 0); });
  expect_error(Errc::kUsage, "task.task must be denoise or super_resolution, got 'sharpen'",
               [] { DegradedVolumes(one_volume(waves(9, 40, 48), true), {.task = "sharpen"}, {}); });
  expect_error(Errc::kUsage, "degradation: 0 < noise_low <= noise_high <= 1",
               [] { DegradedVolumes(one_volume(waves(9, 40, 48), true), {}, {.noise_low = 0.1, .noise_high = 0.05}); });
}

}  // namespace
}  // namespace reseda::medical
