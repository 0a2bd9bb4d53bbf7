#include "modules/stats/discrete_gaussian.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/core/random_words.hpp"
#include "modules/stats/normal.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::tests {
namespace {

using stats::DiscreteGaussian;
using stats::normal_cdf;

TEST(DiscreteGaussian, HasTheProbabilitiesOfTheRoundedNormal) {
  for (const double sigma : {0.12, 0.25, 0.5, 1.0}) {
    const DiscreteGaussian noise(sigma);
    const double s = 255 * sigma;
    double sum = 0, mean = 0, variance = 0;
    for (std::int64_t j = -3000; j <= 3000; ++j) {
      const double p = noise.probability(j);
      EXPECT_NEAR(p, normal_cdf((static_cast<double>(j) + 0.5) / s) - normal_cdf((static_cast<double>(j) - 0.5) / s),
                  2e-16);
      EXPECT_NEAR(p, noise.probability(-j), 0x1.0p-63);
      sum += p;
      mean += p * static_cast<double>(j);
      variance += p * static_cast<double>(j * j);
    }
    EXPECT_NEAR(sum, 1, 1e-14);
    EXPECT_NEAR(mean, 0, 1e-12);
    EXPECT_NEAR(variance / (s * s + 1.0 / 12), 1, 1e-12) << sigma;
  }
}

TEST(DiscreteGaussian, ReadsWordsAsQuantiles) {
  const DiscreteGaussian noise(1.0);
  const at::Tensor words = at::tensor({std::int64_t{0}, std::int64_t{-1}, INT64_MAX, INT64_MIN});
  const at::Tensor levels = noise.levels(words);
  EXPECT_LT(levels[0].item<int>(), -2000);  // the lowest quantile
  EXPECT_EQ(levels[0].item<int>(), -levels[1].item<int>());
  EXPECT_EQ(levels[2].item<int>(), 0);  // just below one half
  EXPECT_EQ(levels[3].item<int>(), 0);
  // P[J <= -256] = Phi(-255.5 / 255).
  const auto edge = static_cast<std::int64_t>(std::ldexp(static_cast<long double>(normal_cdf(-255.5 / 255)), 64));
  const at::Tensor near = noise.levels(at::tensor({edge - (std::int64_t{1} << 14), edge + (std::int64_t{1} << 14)}));
  EXPECT_EQ(near[0].item<int>(), -256);
  EXPECT_EQ(near[1].item<int>(), -255);
}

TEST(DiscreteGaussian, FollowsItsLaw) {
  const DiscreteGaussian noise(0.02);  // 5.1 levels
  constexpr std::int64_t kDraws = 1'000'000;
  const at::Tensor levels = noise.levels(random_words(11, {"image", "selection"}, {kDraws}));
  double chi_square = 0;
  for (std::int64_t j = -15; j <= 15; ++j) {
    const double expected = noise.probability(j) * kDraws;
    chi_square += std::pow(levels.eq(j).sum().item<double>() - expected, 2) / expected;
  }
  EXPECT_LT(chi_square, 72);  // 31 cells: exceeded once in 10^5
}

TEST(DiscreteGaussian, ShowsClippedImages) {
  const DiscreteGaussian noise(0.5);  // K = 3
  const at::Tensor image = at::tensor({0, 255, 7}, at::kByte).view({3});
  const at::Tensor words =
      at::tensor({INT64_MAX, INT64_MAX, INT64_MAX, INT64_MIN, std::int64_t{-1}, INT64_MAX}).view({2, 3});
  const at::Tensor shown = noise.smoothed(image, words);
  EXPECT_EQ(shown.sizes(), at::IntArrayRef({2, 3}));
  EXPECT_EQ(shown[0][1].item<float>(), 1.0F);
  EXPECT_EQ(shown[0][2].item<float>(), 7.0F / 255);
  EXPECT_EQ(shown[1][1].item<float>(), 4.0F);
}

TEST(DiscreteGaussian, StatesItsLoss) {
  const double loss = DiscreteGaussian(1.0).truncation_loss(150'528);
  EXPECT_GT(loss, 1e-11);
  EXPECT_LT(loss, 5e-11);
  expect_error(Errc::kUsage, "smoothing.sigma", [] { DiscreteGaussian(0.0); });
  expect_error(Errc::kInternal, "integer levels", [] {
    DiscreteGaussian(1.0).smoothed(at::zeros({2}), at::zeros({1, 2}, at::kLong));
  });
}

}  // namespace
}  // namespace reseda::tests
