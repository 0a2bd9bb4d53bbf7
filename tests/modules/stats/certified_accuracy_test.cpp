#include "modules/stats/certified_accuracy.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "tests/support/expect_error.hpp"

namespace reseda::tests {
namespace {

using namespace stats;

const std::vector<CertifiedImage> kImages = {{true, 0.5}, {true, 1.5}, {false, 2.0}, {false, 0.0}};

TEST(CertifiedAccuracy, CountsOfAllImages) {
  EXPECT_EQ(certified_accuracy(kImages, 0), 0.5);
  EXPECT_EQ(certified_accuracy(kImages, 0.5), 0.5) << "the radius itself counts";
  EXPECT_EQ(certified_accuracy(kImages, 0.51), 0.25);
  EXPECT_EQ(average_certified_radius(kImages), 0.5);
  expect_error(Errc::kInput, "at least 1 images, got 0", [] { certified_accuracy({}, 0); });
}

TEST(CertifiedAccuracy, AllowsForWrongCertificates) {
  EXPECT_NEAR(high_probability_accuracy(0.8, 500, 0.001, 0.001),
              0.8 - 0.001 - std::sqrt(0.001 * 0.999 * std::log(1000) / 500) - std::log(1000) / 1500, 1e-15);
}

TEST(CertifiedAccuracy, HasBandsThatHold) {
  // Radii uniform on [0, 1], all correct: the mean is 1/2 and the accuracy at r is 1 - r.
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> radius(0, 1);
  int outside_mean = 0, outside_band = 0;
  for (int run = 0; run < 500; ++run) {
    std::vector<CertifiedImage> images(100);
    for (CertifiedImage& image : images) image = {true, radius(random)};
    const Interval mean = average_radius_interval(images, 1.0, 0.05);
    EXPECT_LT(mean.high - mean.low, 0.6);
    outside_mean += mean.low > 0.5 || mean.high < 0.5;
    bool left = false;
    for (double r = 0.05; r < 1; r += 0.05) {
      const Interval band = accuracy_band(certified_accuracy(images, r), 100, 0.05);
      left = left || band.low > 1 - r || band.high < 1 - r;
    }
    outside_band += left;
  }
  EXPECT_LE(outside_mean, 25);
  EXPECT_LE(outside_band, 45);
  EXPECT_GT(outside_band, 0);
}

TEST(CertifiedAccuracy, TakesNumpysGrid) {
  const std::vector<double> radii = radius_grid(0, 1.5, 0.01);
  ASSERT_EQ(radii.size(), 151U);
  EXPECT_EQ(radii[35], 35 * 0.01);
  EXPECT_NE(radii[35], 0.35);
  EXPECT_EQ(radius_grid(0.25, 1.5, 0.25).size(), 6U);
  expect_error(Errc::kUsage, "step > 0", [] { radius_grid(0, 1, 0); });
}

TEST(CertifiedAccuracy, NamesTheBestSigma) {
  const std::vector<std::vector<double>> accuracies = {{0.9, 0.2, 0}, {0.8, 0.3, 0}};
  EXPECT_EQ(best_sigma(accuracies), (std::vector<std::size_t>{0, 1, 0}));
}

}  // namespace
}  // namespace reseda::tests
