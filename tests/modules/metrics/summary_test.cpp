#include "modules/metrics/summary.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "modules/core/error.hpp"
#include "modules/core/noise.hpp"

namespace reseda::metrics {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();

TEST(SortedQuantile, LinearBetweenOrderStatistics) {
  const std::vector<double> v = {1, 2, 4, 8};
  EXPECT_EQ(sorted_quantile(v, 0.0), 1.0);
  EXPECT_EQ(sorted_quantile(v, 1.0), 8.0);
  EXPECT_DOUBLE_EQ(sorted_quantile(v, 0.5), 3.0);
  EXPECT_DOUBLE_EQ(sorted_quantile(v, 0.9), 6.8);
  EXPECT_EQ(sorted_quantile(std::vector<double>{7.0}, 0.3), 7.0);
}

TEST(BootstrapMean, MeanAndCounts) {
  const MeanInterval m = bootstrap_mean(std::vector<double>{1, kNan, 2, kInf, 6});
  EXPECT_DOUBLE_EQ(m.mean, 3.0);
  EXPECT_EQ(m.count, 3U);
  EXPECT_EQ(m.left_out, 2U);
  EXPECT_GE(m.low, 1.0);
  EXPECT_LE(m.high, 6.0);
  EXPECT_LT(m.low, m.mean);
  EXPECT_GT(m.high, m.mean);
}

TEST(BootstrapMean, TwoValuesHaveAKnownDistribution) {
  // Means of two draws from {0, 1}: 0, 1/2, 1 with probability 1/4, 1/2, 1/4. The 20 % quantile is 0, the 30 % one 1/2.
  const std::vector<double> v = {0, 1};
  EXPECT_EQ(bootstrap_mean(v, {.level = 0.6}).low, 0.0);
  EXPECT_EQ(bootstrap_mean(v, {.level = 0.4}).low, 0.5);
  EXPECT_EQ(bootstrap_mean(v, {.level = 0.4}).high, 0.5);
  EXPECT_EQ(bootstrap_mean(v, {.level = 0.6}).high, 1.0);
}

TEST(BootstrapMean, WidthIsThatOfTheNormalLimit) {
  Chooser chooser(1, "test", "values", 0);
  std::vector<double> v(400);
  for (double& x : v) x = chooser.normal();
  const MeanInterval m = bootstrap_mean(v, {.draws = 2000});
  EXPECT_NEAR(m.high - m.low, 2 * 1.96 * mean_std(v).std / 20, 0.015);
}

TEST(BootstrapMean, SeedDecides) {
  const std::vector<double> v = {0.3, 1.7, 2.2, 9.1, 4.4};
  const MeanInterval a = bootstrap_mean(v), b = bootstrap_mean(v), c = bootstrap_mean(v, {.draws = 50, .seed = 1});
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_NE(bootstrap_mean(v, {.draws = 50}).low, c.low);
}

TEST(BootstrapMean, EmptyAndSingle) {
  const MeanInterval none = bootstrap_mean(std::vector<double>{kNan});
  EXPECT_TRUE(std::isnan(none.mean) && std::isnan(none.low) && std::isnan(none.high));
  const MeanInterval one = bootstrap_mean(std::vector<double>{5.0});
  EXPECT_TRUE(one.low == 5.0 && one.high == 5.0);
}

TEST(BootstrapMean, Errors) {
  const std::vector<double> v = {1, 2};
  const auto message = [&](const BootstrapConfig& config) -> std::string {
    try {
      bootstrap_mean(v, config);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Errc::kUsage);
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(message({.draws = 0}), "bootstrap.draws must be >= 1, got 0");
  EXPECT_EQ(message({.level = 1.0}), "bootstrap.level must be in (0, 1), got 1");
}

TEST(MeanStd, PopulationWithoutNans) {
  const MeanStd m = mean_std(std::vector<double>{2, 4, kNan, 4, 4, 5, 5, 7, 9});
  EXPECT_DOUBLE_EQ(m.mean, 5.0);
  EXPECT_DOUBLE_EQ(m.std, 2.0);
  EXPECT_EQ(m.count, 8U);
  EXPECT_EQ(m.left_out, 1U);
  EXPECT_TRUE(std::isnan(mean_std(std::vector<double>{}).mean));
  EXPECT_TRUE(std::isinf(mean_std(std::vector<double>{1, kInf}).mean));
}

}  // namespace
}  // namespace reseda::metrics
