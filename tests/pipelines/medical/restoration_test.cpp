#include "pipelines/medical/restoration.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "pipelines/medical/restore_page.hpp"
#include "tests/pipelines/medical/small_model.hpp"

namespace reseda::tests {
namespace {

using medical::OpenedScan;
using medical::Restoration;
using medical::RestoreRequest;

OpenedScan noisy_ct() {
  at::manual_seed(3);
  OpenedScan scan;
  scan.modality = medical::Modality::kCt;
  scan.units = "HU";
  scan.volume.voxels = 20 * at::randn({4, 24, 20});
  return scan;
}

class RestorationTest : public testing::Test {
 protected:
  Restoration restore(const OpenedScan& scan, const RestoreRequest& request) const {
    return restore_volume(scan, model_, request, "v", {});
  }
  medical::OpenedModel model_{small_model("denoise", 1), "model.safetensors", "0123456789abcdef"};
};

bool same(const at::Tensor& a, const at::Tensor& b) { return at::equal(a, b); }

TEST_F(RestorationTest, SlicesMaskAndPaddingAreLeftAsTheyWere) {
  OpenedScan scan = noisy_ct();
  const at::Tensor& in = scan.volume.voxels;
  const at::Tensor whole = restore(scan, {.sigma = 20.0}).voxels;
  for (std::int64_t k = 0; k < 4; ++k) EXPECT_FALSE(same(whole[k], in[k]));

  const at::Tensor some = restore(scan, {.sigma = 20.0, .slices = {2, 3}}).voxels;
  EXPECT_TRUE(same(some[0], in[0]));
  EXPECT_TRUE(same(some[1], whole[1]));
  EXPECT_TRUE(same(some[3], in[3]));

  scan.mask = at::zeros({4, 24, 20}, at::kBool);
  scan.mask[1].narrow(0, 5, 4).fill_(true);
  const at::Tensor masked = restore(scan, {.sigma = 20.0}).voxels;
  EXPECT_TRUE(same(masked.masked_select(scan.mask), whole.masked_select(scan.mask)));
  EXPECT_TRUE(same(masked.masked_select(scan.mask.logical_not()), in.masked_select(scan.mask.logical_not())));

  scan.mask.reset();
  scan.volume.padding = at::zeros({4, 24, 20}, at::kBool);
  scan.volume.padding.narrow(1, 0, 2).fill_(true);
  in.narrow(1, 0, 2).fill_(-2000.0);
  const at::Tensor padded = restore(scan, {.sigma = 20.0}).voxels;
  EXPECT_TRUE((padded.narrow(1, 0, 2) == -2000.0).all().item<bool>());
  EXPECT_FALSE(same(padded, in));
}

TEST_F(RestorationTest, StrengthIsTheShareOfTheRestoredVolume) {
  const OpenedScan scan = noisy_ct();
  const at::Tensor& in = scan.volume.voxels;
  const at::Tensor whole = restore(scan, {.sigma = 20.0}).voxels;
  const at::Tensor quarter = restore(scan, {.sigma = 20.0, .strength = 0.25}).voxels;
  EXPECT_TRUE(at::allclose(quarter, in + 0.25 * (whole - in), 1e-4, 1e-2));
  EXPECT_TRUE(at::allclose(restore(scan, {.sigma = 20.0, .strength = 0.0}).voxels, in, 0, 1e-3));
}

TEST_F(RestorationTest, NoiseIsMeasuredUnlessGiven) {
  const OpenedScan scan = noisy_ct();
  const Restoration measured = restore(scan, {});
  EXPECT_TRUE(measured.measured);
  EXPECT_NEAR(measured.noise.sigma, 20.0, 5.0);
  EXPECT_LE(measured.noise.low, measured.noise.sigma);
  const Restoration given = restore(scan, {.sigma = 30.0});
  EXPECT_FALSE(given.measured);
  EXPECT_EQ(given.noise.sigma, 30.0);
  EXPECT_FALSE(same(given.voxels, measured.voxels));
}

TEST_F(RestorationTest, TheDeviationNeitherChangesTheResultNorDependsOnChance) {
  const OpenedScan scan = noisy_ct();
  const Restoration plain = restore(scan, {.sigma = 20.0});
  RestoreRequest request{.sigma = 20.0, .slices = {2, 3}, .samples = 3};
  request.deviation = "deviation.nrrd";
  const Restoration spread = restore(scan, request);
  EXPECT_TRUE(same(spread.voxels[1], plain.voxels[1]));
  EXPECT_TRUE((spread.deviation[1] >= 0).all().item<bool>());
  EXPECT_GT(spread.deviation[1].mean().item<double>(), 0.0);
  EXPECT_EQ(spread.deviation[0].abs().max().item<double>(), 0.0);  // no noise is thrown where nothing is taken away
  EXPECT_TRUE(same(restore(scan, request).deviation, spread.deviation));
  request.seed = 1;
  EXPECT_FALSE(same(restore(scan, request).deviation, spread.deviation));
}

TEST_F(RestorationTest, StopsWhenToldTo) {
  EXPECT_THROW(restore_volume(noisy_ct(), model_, {.sigma = 20.0}, "v", [](const Progress&) { return false; }), Error);
}

TEST_F(RestorationTest, ThePageShowsPicturesAndFigures) {
  const OpenedScan scan = noisy_ct();
  const Restoration after = restore(scan, {});
  const std::string page = restore_page("a <b>", scan, after, {}, {{"model", "m"}});
  EXPECT_NE(page.find("a &lt;b&gt;"), std::string::npos);
  EXPECT_EQ(page.find("<b>"), std::string::npos);
  EXPECT_NE(page.find("soft tissue, -160 to 240 HU"), std::string::npos);
  EXPECT_NE(page.find("data:image/png;base64,"), std::string::npos);
  EXPECT_NE(page.find("not for diagnosis"), std::string::npos);
}

TEST_F(RestorationTest, ThePageCountsWhatChanged) {
  const OpenedScan scan = noisy_ct();
  Restoration after;
  after.voxels = scan.volume.voxels.clone();
  after.voxels.narrow(0, 2, 2).add_(4);
  const std::string page = restore_page("v", scan, after, {}, {});
  for (const char* fact : {"2 HU", "2.001 HU", "960 of 1920"})
    EXPECT_NE(page.find("<dd>" + std::string(fact) + "</dd>"), std::string::npos) << fact;
}

TEST(DisplayWindows, OfOtherModalitiesEndAtAHighPercentile) {
  at::Tensor voxels = at::zeros({1, 10, 100});
  voxels.view({-1}).copy_(at::arange(1000));
  const auto windows = medical::display_windows(voxels, medical::Modality::kMr);
  ASSERT_EQ(windows.size(), 1U);
  EXPECT_EQ(windows[0].low, 0);
  EXPECT_EQ(windows[0].high, 994);
  EXPECT_EQ(medical::display_windows(at::zeros({1, 2, 2}), medical::Modality::kMr)[0].high, 1);
}

TEST(BlindNoiseLevel, OfCtIsThatOfTheBodyWhereFarLowerPaddingIsNotMarked) {
  at::manual_seed(2);
  at::Tensor scan = -1000.0 + 5.0 * at::randn({4, 128, 128});
  scan.narrow(1, 56, 64).narrow(2, 32, 64).copy_(20.0 * at::randn({4, 64, 64}));
  scan.narrow(1, 0, 48).fill_(-3024);
  EXPECT_NEAR(medical::blind_noise_level(scan, {}, medical::Modality::kCt).sigma, 20.0, 3.0);
}

TEST(GuessModality, AirInHounsfieldUnitsMakesCt) {
  EXPECT_EQ(medical::guess_modality(at::tensor({-1000.0F, 100.0F})), medical::Modality::kCt);
  EXPECT_EQ(medical::guess_modality(at::tensor({-499.0F, 100.0F})), medical::Modality::kMr);
  EXPECT_EQ(medical::find_modality("PT"), medical::Modality::kPet);
  EXPECT_EQ(medical::find_modality("ct"), medical::Modality::kCt);
  EXPECT_FALSE(medical::find_modality("US").has_value());
}

}  // namespace
}  // namespace reseda::tests
