#include "modules/stats/certificate.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "modules/stats/normal.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::tests {
namespace {

using namespace stats;
using Counts = std::vector<std::int64_t>;

TEST(Certify, BoundsTheSelectedClassWhoeverWinsTheEstimation) {
  const Counts selection = {3, 5, 5}, estimation = {99'000, 900, 100};
  const Certificate other = certify(selection, estimation, 0.5, 0.001);
  EXPECT_EQ(other.label, kAbstain);
  EXPECT_EQ(other.hits, 900);
  EXPECT_EQ(other.radius, 0);
  const Certificate sure = certify(Counts{5, 3, 5}, estimation, 0.5, 0.001);
  EXPECT_EQ(sure.label, 0);
  EXPECT_EQ(sure.trials, 100'000);
  EXPECT_NEAR(sure.radius, 0.5 * 2.289999955214, 1e-12);
  EXPECT_LE(sure.radius, 0.5 * normal_quantile(sure.probability));
}

TEST(Certify, ScalesWithSigma) {
  const Counts votes = {90, 10};
  EXPECT_NEAR(certify(votes, votes, 3.0, 0.01).radius, 3 * certify(votes, votes, 1.0, 0.01).radius, 1e-15 * 10);
}

TEST(Certify, UsesBothSidesWhereTheRestIsSpread) {
  const Counts selection = {60, 40, 0, 0}, estimation = {5200, 1600, 1600, 1600};
  const Certificate one = certify(selection, estimation, 1.0, 0.001);
  const Certificate both = certify_both_sides(selection, estimation, 1.0, 0.001);
  EXPECT_GT(both.radius, 10 * one.radius);
  const double p_a = lower_bound(5200, 10000, 0.0005).p, p_b = upper_bound(1600, 10000, 0.0005 / 3).p;
  EXPECT_NEAR(both.radius, 0.5 * (normal_quantile(p_a) - normal_quantile(p_b)), 1e-12);
  EXPECT_EQ(certify_both_sides(selection, Counts{300, 400, 300, 0}, 1.0, 0.001).label, kAbstain);
  EXPECT_EQ(certify_both_sides(selection, Counts{0, 400, 300, 300}, 1.0, 0.001).label, kAbstain);
}

TEST(Predict, AbstainsBelowTheThresholds) {
  for (const auto& [total, least] : {std::pair{100, 67}, {1000, 553}, {10000, 5166}, {100000, 50521}}) {
    EXPECT_EQ(predict(Counts{total - least, least}, 0.001), 1) << total;
    EXPECT_EQ(predict(Counts{total - least + 1, least - 1}, 0.001), kAbstain) << total;
  }
  EXPECT_EQ(predict(Counts{0, 0}, 0.1), kAbstain);
}

TEST(Radius, HasALargest) {
  EXPECT_NEAR(largest_radius(1.0, 100'000, 0.001), 3.81145656339, 1e-11);
  EXPECT_NEAR(largest_radius(0.25, 10'000, 0.001), 0.25 * 3.19857751474, 1e-11);
  EXPECT_EQ(smallest_certified_count(100, 0.001), 66);
  EXPECT_EQ(smallest_certified_count(100'000, 0.001), 50'490);
  EXPECT_EQ(smallest_certified_count(5, 0.001), 6);
  require_reachable(3.8, 1.0, 100'000, 0.001);
  expect_error(Errc::kUsage, "100000 votes at sigma 1 and alpha 0.001 reach 3.81",
               [] { require_reachable(4.0, 1.0, 100'000, 0.001); });
  require_reachable(0, 1.0, 5, 0.001);
}

/// Certifies an input whose true radius is known, with votes drawn from the truth, 10^4 times. The failures are
/// Bin(10^4, rate) with rate <= alpha: 99.9999 of 100 times at most what the upper bound below allows.
TEST(Certify, IsWrongWithAlphaAtMost) {
  constexpr std::int64_t kRuns = 10'000, kVotes = 500;
  constexpr double kAlpha = 0.01;
  std::mt19937_64 random(5);
  for (const double true_radius : {0.0, 0.1, 1.0, 2.0}) {
    const double p = normal_cdf(true_radius);
    std::binomial_distribution<std::int64_t> estimate(kVotes, p), select(20, p);
    std::vector<double> radii(kVotes + 1, -1);  // certify() is slow beside a draw
    std::int64_t wrong = 0;
    for (std::int64_t run = 0; run < kRuns; ++run) {
      const std::int64_t chosen = select(random), hits = estimate(random);
      const bool right_class = chosen >= 10;
      const std::int64_t votes = right_class ? hits : kVotes - hits;
      double& radius = radii[static_cast<std::size_t>(votes)];
      if (radius < 0) {
        const Certificate made = certify(Counts{1, 0}, Counts{votes, kVotes - votes}, 1.0, kAlpha);
        radius = made.label == kAbstain ? 0 : made.radius + 1e-300;
      }
      wrong += radius > (right_class ? true_radius : 0.0);
    }
    EXPECT_LE(lower_bound(wrong, kRuns, 1e-6).p, kAlpha)
        << wrong << " of " << kRuns << " certificates are wrong at " << true_radius;
    RecordProperty("wrong_of_10000_at_" + std::to_string(true_radius), static_cast<int>(wrong));
  }
}

}  // namespace
}  // namespace reseda::tests
