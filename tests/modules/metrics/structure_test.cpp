#include "modules/metrics/structure.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "modules/core/noise.hpp"
#include "modules/metrics/noise_power_spectrum.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::metrics {
namespace {

at::Tensor normal(const char* stream, at::IntArrayRef shape) {
  return CounterNoise(2).normal({.item = "structure", .stream = stream}, shape).to(at::kDouble);
}

/// A vertical edge of height 100 in the middle, the integral of a Gaussian.
at::Tensor edge(std::int64_t size, double width) {
  const at::Tensor x = at::arange(size, at::kDouble) - static_cast<double>(size - 1) / 2;
  return (50 * at::erf(x / (width * std::numbers::sqrt2))).expand({size, size});
}

TEST(ImageGradient, HandValues) {
  const Gradient g = image_gradient(at::tensor({0.0, 1.0, 4.0, 2.0, 2.0, 2.0}).view({2, 3}), {0.5, 2.0});
  EXPECT_TRUE(g.rows.equal(at::tensor({4.0, 2.0, -4.0, 4.0, 2.0, -4.0}).view({2, 3})));
  EXPECT_TRUE(g.columns.equal(at::tensor({0.5, 1.0, 1.5, 0.0, 0.0, 0.0}).view({2, 3})));
  tests::expect_error(Errc::kInput, "2 x 2", [] { image_gradient(at::zeros({1, 5}), {1, 1}); });
}

TEST(GradientRatio, HandValues) {
  const at::Tensor x = at::tensor({0.0, 1.0, 4.0, 2.0, 2.0, 2.0}).view({2, 3});
  EXPECT_NEAR(gradient_ratio(x, 3 - 2 * x), 2.0, 1e-12);
  // A ramp of slope 3 along columns and 4 along rows against one of slope 1.
  const at::Tensor i = at::arange(4, at::kDouble).unsqueeze(1), j = at::arange(5, at::kDouble);
  EXPECT_NEAR(gradient_ratio(i + 0 * j, 4 * i + 3 * j), 5.0, 1e-12);
  EXPECT_NEAR(gradient_ratio(4 * i + 3 * j, i + 0 * j), 0.2, 1e-12);
  EXPECT_TRUE(std::isnan(gradient_ratio(at::ones({3, 3}), at::ones({3, 3}))));
  tests::expect_error(Errc::kInput, "one shape", [] { gradient_ratio(at::ones({3, 3}), at::ones({3, 4})); });
}

TEST(EdgeSharpness, IsTheRatioOfSlopesAndNoiseDoesNotCount) {
  const at::Tensor sharp = edge(128, 6), blurred = edge(128, 9), mask = at::ones({128, 128}, at::kBool);
  EXPECT_NEAR(edge_sharpness(sharp, sharp, mask, {1, 1}), 1.0, 1e-12);
  EXPECT_NEAR(edge_sharpness(sharp, blurred, mask, {1, 1}), 6.0 / 9.0, 0.01);
  EXPECT_NEAR(edge_sharpness(blurred, sharp, mask, {1, 1}), 9.0 / 6.0, 0.02);
  EXPECT_NEAR(edge_sharpness(sharp, blurred + 2 * normal("n", {128, 128}), mask, {1, 1}), 6.0 / 9.0, 0.03);
  EXPECT_NEAR(edge_sharpness(sharp, -sharp, mask, {2, 1}), -1.0, 1e-12);
  EXPECT_TRUE(
      std::isnan(edge_sharpness(at::zeros({4, 4}), at::zeros({4, 4}), mask.slice(0, 0, 4).slice(1, 0, 4), {1, 1})));
  EXPECT_TRUE(std::isnan(edge_sharpness(sharp, sharp, mask.logical_not(), {1, 1})));
}

TEST(ResidualCorrelation, TellsAnatomyFromNoise) {
  const at::Tensor clean = edge(128, 2), mask = at::ones({128, 128}, at::kBool), noise = normal("n", {128, 128});
  const ResidualCorrelation independent = residual_correlation(noise, clean, mask, {1, 1});
  EXPECT_NEAR(independent.plain, 0, 0.03);
  EXPECT_NEAR(independent.absolute, 0, 0.03);
  const Gradient g = image_gradient(clean, {1, 1});
  const ResidualCorrelation bias = residual_correlation(-g.columns, clean, mask, {1, 1});
  EXPECT_NEAR(bias.plain, -1, 1e-9);
  EXPECT_NEAR(bias.absolute, 1, 1e-9);
  // A blurred edge loses as much on one side as it gains on the other.
  const ResidualCorrelation blur = residual_correlation(clean - edge(128, 3), clean, mask, {1, 1});
  EXPECT_NEAR(blur.plain, 0, 1e-9);
  EXPECT_GT(blur.absolute, 0.5);
  EXPECT_TRUE(std::isnan(residual_correlation(at::zeros({128, 128}), clean, mask, {1, 1}).plain));
  tests::expect_error(Errc::kInput, "one shape", [&] { residual_correlation(noise, clean, mask[0], {1, 1}); });
}

TEST(NoisePowerSpectrum, WhiteNoiseIsFlatAndItsIntegralIsTheVariance) {
  const at::Tensor noise = 6 * normal("n", {3, 160, 160}), flat = at::zeros({3, 160, 160});
  const NoisePowerSpectrum nps = noise_power_spectrum(noise, flat, flat == 0, {0.5, 0.5});
  ASSERT_EQ(nps.frequency.size(), 16U);
  EXPECT_NEAR(nps.frequency[0], 1.0 / 16, 1e-12);
  EXPECT_NEAR(nps.frequency[15], 1.0, 1e-12);
  for (std::size_t k = 2; k < 16; ++k) EXPECT_NEAR(nps.power[k], 36 * 0.25, 0.15 * 36 * 0.25) << k;
  EXPECT_NEAR(nps.sigma, 6, 0.1);
  EXPECT_EQ(nps.patches, 3 * 21) << "a quarter of 9 x 9, rounded up";
  EXPECT_NEAR(noise_power_spectrum(2 * noise, flat, flat == 0, {0.5, 0.5}).power[8], 4 * nps.power[8], 1e-9);
}

TEST(NoisePowerSpectrum, FindsTheFrequencyOfAWave) {
  // 4 periods in 32 pixels along the columns, amplitude 3: variance 4.5; pixels of 2 mm.
  const at::Tensor wave = (3 * at::sin(at::arange(64, at::kDouble) * (2 * std::numbers::pi / 8))).expand({1, 64, 64});
  const NoisePowerSpectrum nps = noise_power_spectrum(wave, at::zeros_like(wave), wave < 10, {2, 2});
  EXPECT_NEAR(nps.sigma, std::sqrt(4.5), 0.1);
  EXPECT_NEAR(nps.mean_frequency, 1.0 / 16, 0.003);
  const auto most = std::max_element(nps.power.begin(), nps.power.end()) - nps.power.begin();
  EXPECT_NEAR(nps.frequency[static_cast<std::size_t>(most)], 1.0 / 16, 1e-12);
}

TEST(NoisePowerSpectrum, LooksAtFlatPartsOfTheMask) {
  at::Tensor residual = normal("n", {1, 128, 128}), reference = at::zeros({1, 128, 128}, at::kDouble);
  residual.slice(2, 0, 64).mul_(50);
  reference.slice(2, 0, 64).copy_(100 * normal("texture", {1, 128, 64}));
  const at::Tensor all = at::ones({1, 128, 128}, at::kBool), left = at::arange(128).expand({1, 128, 128}) < 64;
  EXPECT_NEAR(noise_power_spectrum(residual, reference, all, {1, 1}).sigma, 1, 0.05);
  EXPECT_NEAR(noise_power_spectrum(residual, reference, left, {1, 1}).sigma, 50, 3);
  const NoisePowerSpectrum none = noise_power_spectrum(residual, reference, all.logical_not(), {1, 1});
  EXPECT_EQ(none.patches, 0);
  EXPECT_TRUE(std::isnan(none.sigma) && none.power.empty());
  tests::expect_error(Errc::kInput, "smaller than 16 x 16", [] {
    const at::Tensor x = at::zeros({1, 40, 14});
    noise_power_spectrum(x, x, x == 0, {1, 1});
  });
}

}  // namespace
}  // namespace reseda::metrics
