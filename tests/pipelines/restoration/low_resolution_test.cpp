#include "pipelines/restoration/low_resolution.hpp"

#include <cmath>
#include <numbers>

#include "tests/pipelines/restoration/restoration_fixture.hpp"

namespace reseda::restoration {
namespace {

at::Tensor waves() {
  const at::Tensor at = at::arange(64, at::kFloat);
  return (0.4 * at::sin(at / 5.0).unsqueeze(1) * at::cos(at / 7.0).unsqueeze(0)).unsqueeze(0);
}

TEST(ShrinkTest, OfARampIsTheMeanOfEachSquareAndComesBackWithoutAShift) {
  CounterNoise noise(1);
  const LowResolutionConfig config{.scale = 4, .rounded_share = 0};
  const at::Tensor ramp = (at::arange(64, at::kFloat) / 100.0).view({1, 1, 64}).expand({1, 64, 64});
  const at::Tensor low = shrink(ramp, config, noise, "a", 0);
  EXPECT_EQ(low.sizes(), (std::vector<std::int64_t>{1, 16, 16}));
  for (std::int64_t i = 3; i < 13; ++i) EXPECT_NEAR(low[0][8][i].item<double>(), (4.0 * i + 1.5) / 100, 1e-6);
  const at::Tensor back = enlarge(low, 4);
  // The cubic with a = -0.75 bends a ramp a little (that with -0.5 would not) but does not shift it.
  const at::Tensor bend = (back - ramp).narrow(2, 16, 32);
  EXPECT_LT(bend.abs().max().item<double>(), 0.05 * 0.04);
  EXPECT_NEAR(bend.mean().item<double>(), 0.0, 1e-6);
}

TEST(ShrinkTest, RoundsToLevelsWhereAsked) {
  CounterNoise noise(1);
  const at::Tensor low = shrink(waves(), {.scale = 4, .rounded_share = 1}, noise, "a", 0);
  const at::Tensor levels = (low + 1) * 127.5;
  EXPECT_LT((levels - levels.round()).abs().max().item<double>(), 1e-4);
}

TEST(ShrinkTest, ACamerasNoiseHasTheGivenLevelAndShareOfColumns) {
  CounterNoise noise(5);
  const LowResolutionConfig config{
      .scale = 4, .real_share = 1, .noise_low = 4, .noise_high = 4, .column_share = 0.5, .rounded_share = 0};
  const at::Tensor low = shrink(at::zeros({1, 512, 512}), config, noise, "a", 0) * 127.5;
  const at::Tensor columns = low.mean(1, true);
  EXPECT_NEAR((low - columns).std().item<double>(), 4.0, 0.1);
  EXPECT_NEAR(columns.std().item<double>(), 2.0, 0.4);
}

TEST(ShrinkTest, DependsOnItemAndStepAlone) {
  CounterNoise noise(5);
  const LowResolutionConfig config{.scale = 4, .real_share = 0.5};
  const auto once = [&](const char* item, std::uint32_t step) { return shrink(waves(), config, noise, item, step); };
  EXPECT_TRUE(once("a", 1).equal(once("a", 1)));
  bool differs = false;
  for (std::uint32_t step = 2; step < 8; ++step) differs = differs || !once("a", 1).equal(once("a", step));
  EXPECT_TRUE(differs);
}

TEST(VaryTest, ZoomsInByShowingLessAndKeepsTheMeanUnderGain) {
  CounterNoise noise(2);
  const LowResolutionConfig twice{.scale = 4, .zoom_low = 2, .zoom_high = 2};
  const at::Tensor ramp = (at::arange(64, at::kFloat) / 100.0).view({1, 1, 64}).expand({1, 64, 64});
  const at::Tensor seen = vary(ramp, 64, twice, noise, "a", 0);
  EXPECT_NEAR((seen[0][30][31] - seen[0][30][30]).item<double>(), 0.005, 1e-5);  // half as steep
  const LowResolutionConfig louder{.scale = 4, .gain_low = 2, .gain_high = 2};
  const at::Tensor x = waves() * 0.5;
  const at::Tensor loud = vary(x, 64, louder, noise, "a", 0);
  EXPECT_NEAR(loud.mean().item<double>(), x.mean().item<double>(), 1e-6);
  EXPECT_NEAR(loud.std().item<double>(), 2 * x.std().item<double>(), 1e-5);
}

TEST(JpegLevelsTest, AtFullQualityRoundsAndAtLowQualityKeepsTheMeanOfABlock) {
  const at::Tensor levels = at::round((waves()[0] + 1) * 127.5);
  EXPECT_LE((jpeg_levels(levels, 100, 0, 0) - levels).abs().max().item<double>(), 2.0);
  // At quality 1 every step is 255: only coefficients above 127.5 survive. A block of 8 x 8 has the mean DC / 8.
  const at::Tensor flat = at::full({8, 8}, 128.0F + 40.0F);  // DC 320: 1.25 steps of 255, kept as 255
  EXPECT_NEAR(jpeg_levels(flat, 1, 0, 0)[3][3].item<double>(), 128 + std::round(255.0 / 8), 1e-6);
}

TEST(JpegLevelsTest, QuantisesAWaveByItsOwnTableEntry) {
  // A wave of amplitude a along the columns is the coefficient (0, 1) of size sqrt(8) 2 a, whose step is 11 at quality
  // 50.
  at::Tensor levels = at::full({8, 8}, 128.0F);
  const double amplitude = 11.0 * 3 / (4.0 * std::numbers::sqrt2);
  for (int n = 0; n < 8; ++n) levels.select(1, n) += amplitude * std::cos((2 * n + 1) * std::numbers::pi / 16);
  // The coefficient is 4 sqrt(2) a = 33, three steps: the wave comes back but for rounding.
  EXPECT_LE((jpeg_levels(levels, 50, 0, 0) - levels).abs().max().item<double>(), 0.51);
  // At 0.49 steps it goes.
  const at::Tensor faint = 128 + (levels - 128) * (0.49 / 3);
  EXPECT_EQ(jpeg_levels(faint, 50, 0, 0).min().item<double>(), 128.0);
  EXPECT_EQ(jpeg_levels(faint, 50, 0, 0).max().item<double>(), 128.0);
}

TEST(LowResolutionConfigTest, RefusesWhatCannotBe) {
  expect_error(Errc::kUsage, "scale", [] { LowResolutionConfig{.scale = 9}.validate(); });
  expect_error(Errc::kUsage, "zoom_low", [] { LowResolutionConfig{.zoom_low = 2, .zoom_high = 1}.validate(); });
  expect_error(Errc::kUsage, "real_share", [] { LowResolutionConfig{.real_share = 1.5}.validate(); });
}

}  // namespace
}  // namespace reseda::restoration
