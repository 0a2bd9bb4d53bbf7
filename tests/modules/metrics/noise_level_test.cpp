#include "modules/metrics/noise_level.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <string>

#include "modules/core/noise.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::metrics {
namespace {

using tests::expect_error;

at::Tensor normal(const std::string& stream, at::IntArrayRef shape) {
  return CounterNoise(1).normal({.item = "noise level", .stream = stream}, shape);
}

/// Mean of a pixel and its right, lower and diagonal neighbour, scaled to the variance that it had.
at::Tensor correlated(const at::Tensor& white) {
  const at::Tensor x = white + at::roll(white, 1, -1);
  return (x + at::roll(x, 1, -2)) / 2;
}

/// A bright disc with a ramp, two edges and a texture inside, on dark ground; moves a little from slice to slice.
at::Tensor made_object(std::int64_t depth, std::int64_t size) {
  const at::Tensor axis = at::arange(size, at::kFloat) - static_cast<double>(size) / 2;
  std::vector<at::Tensor> slices;
  for (std::int64_t k = 0; k < depth; ++k) {
    const at::Tensor y = axis.unsqueeze(1) + 0.2 * static_cast<double>(k), x = axis;
    const at::Tensor disc = (x * x + y * y < 0.18 * static_cast<double>(size * size)).to(at::kFloat);
    const at::Tensor texture = 20 * at::sin(x / 2) * at::sin(y / 3) * (x > 20).to(at::kFloat);
    slices.push_back(disc * (200 + 0.3 * y + 80 * (x + y > 10).to(at::kFloat) + texture));
  }
  return at::stack(slices);
}

at::Tensor magnitude(const at::Tensor& clean, double sigma) {
  return at::hypot(clean + sigma * normal("real", clean.sizes()), sigma * normal("imaginary", clean.sizes()));
}

TEST(GaussianNoiseLevel, WhiteAndCorrelatedNoiseOfAStack) {
  const at::Tensor clean = made_object(6, 128), white = normal("white", clean.sizes());
  const NoiseLevel level = gaussian_noise_level(clean + 7 * white);
  EXPECT_NEAR(level.sigma, 7, 0.02 * 7);
  EXPECT_EQ(level.site, NoiseSite::kSliceDifferences);
  EXPECT_GT(level.patches, 50);
  EXPECT_LT(level.low, 7);
  EXPECT_GT(level.high, 7);
  EXPECT_LT(level.high - level.low, 0.1 * 7);
  EXPECT_NEAR(gaussian_noise_level(clean + 7 * correlated(white)).sigma, 7, 0.06 * 7);
}

TEST(GaussianNoiseLevel, TwiceTheNoiseIsTwiceTheLevel) {
  const at::Tensor noise = correlated(normal("white", {5, 96, 80}));
  const double once = gaussian_noise_level(3 * noise).sigma;
  EXPECT_NEAR(gaussian_noise_level(6 * noise - 1000).sigma, 2 * once, 0.01 * once);
  EXPECT_NEAR(once, 3, 0.2);
}

TEST(GaussianNoiseLevel, OneSlice) {
  const at::Tensor clean = made_object(1, 192)[0], white = normal("white", clean.sizes());
  const NoiseLevel level = gaussian_noise_level(clean + 7 * white);
  EXPECT_EQ(level.site, NoiseSite::kFlatPatches);
  EXPECT_NEAR(level.sigma, 7, 0.06 * 7);
  EXPECT_NEAR(gaussian_noise_level(clean + 7 * correlated(white)).sigma, 7, 0.1 * 7);
  EXPECT_NEAR(gaussian_noise_level(clean + 14 * white).sigma, 14, 0.06 * 14);
}

TEST(GaussianNoiseLevel, LooksAtTheObjectOrTheRegion) {
  const at::Tensor clean = made_object(4, 128), white = normal("white", clean.sizes());
  const at::Tensor object = clean > 0, noise = white * at::where(object, 8.0, 2.0);
  EXPECT_NEAR(gaussian_noise_level(clean + noise).sigma, 8, 0.3);
  EXPECT_NEAR(gaussian_noise_level(clean + noise, object.logical_not()).sigma, 2, 0.1);
  expect_error(Errc::kInput, "no patch of 16 x 16 pixels lies in the region",
               [&] { gaussian_noise_level(clean + noise, clean > 1000); });
  expect_error(Errc::kInput, "region must be bool", [&] { gaussian_noise_level(clean, clean); });
}

TEST(GaussianNoiseLevel, NothingVariesOrNothingFits) {
  const NoiseLevel level = gaussian_noise_level(at::full({3, 32, 32}, 5.0));
  EXPECT_EQ(level.sigma, 0.0);
  EXPECT_EQ(level.patches, 0);
  expect_error(Errc::kInput, "smaller than a patch of 16 x 16", [] { gaussian_noise_level(at::zeros({3, 15, 40})); });
  expect_error(Errc::kInput, "expected a real image", [] { gaussian_noise_level(at::zeros({40})); });
  expect_error(Errc::kInput, "NaN or infinite", [] {
    gaussian_noise_level(at::full({16, 16}, std::numeric_limits<double>::infinity()));
  });
}

TEST(RicianNoiseLevel, Background) {
  const at::Tensor clean = made_object(4, 96);
  const NoiseLevel level = rician_noise_level(magnitude(clean, 10));
  EXPECT_EQ(level.site, NoiseSite::kBackground);
  EXPECT_NEAR(level.sigma, 10, 0.03 * 10);
  EXPECT_LT(level.low, 10.1);
  EXPECT_GT(level.high, 9.9);
  EXPECT_NEAR(rician_noise_level(magnitude(clean, 20)).sigma, 20, 0.03 * 20);
  EXPECT_NEAR(rician_noise_level(magnitude(clean, 10).round().to(at::kShort)).sigma, 10, 0.03 * 10) << "integers";
}

TEST(RicianNoiseLevel, MaskedOrFilteredBackgroundIsNoNoise) {
  const at::Tensor clean = made_object(4, 96), object = clean > 0, noisy = magnitude(clean, 10);
  for (const double left : {0.0, 0.2}) {
    const NoiseLevel level = rician_noise_level(at::where(object, noisy, left * noisy));
    EXPECT_EQ(level.site, NoiseSite::kSliceDifferences) << left;
    EXPECT_NEAR(level.sigma, 10, 0.05 * 10) << left;
  }
  const NoiseLevel single = rician_noise_level((noisy * object)[0]);
  EXPECT_EQ(single.site, NoiseSite::kFlatPatches);
  EXPECT_NEAR(single.sigma, 10, 0.15 * 10);
}

TEST(RicianNoiseLevel, CorrectsTheObjectWhereItIsDark) {
  // Signal 2 sigma everywhere: the magnitude's variance is 0.836 sigma^2.
  const NoiseLevel level = rician_noise_level(magnitude(at::full({4, 64, 64}, 20.0), 10));
  EXPECT_EQ(level.site, NoiseSite::kSliceDifferences);
  EXPECT_NEAR(level.sigma, 10, 0.04 * 10);
}

// Recorded with SciPy 1.x, scipy.stats.rice.
TEST(Rician, VarianceFactorAndItsInverse) {
  EXPECT_NEAR(rician_variance_factor(0.0), 2 - std::numbers::pi / 2, 1e-12);
  EXPECT_NEAR(rician_variance_factor(0.5), 0.47990987386190764, 1e-10);
  EXPECT_NEAR(rician_variance_factor(2.0), 0.8362735558385532, 1e-10);
  EXPECT_NEAR(rician_variance_factor(20.0), 0.998746853262503, 1e-9);
  EXPECT_NEAR(rician_variance_factor(35.0), 0.9995915027886895, 1e-6);
  EXPECT_NEAR(rician_signal_ratio(2.48489150524461), 2.0, 1e-7);
  EXPECT_NEAR(rician_signal_ratio(5.155256404277567), 5.0, 1e-7);
  EXPECT_EQ(rician_signal_ratio(1.9), 0.0);
}

}  // namespace
}  // namespace reseda::metrics
