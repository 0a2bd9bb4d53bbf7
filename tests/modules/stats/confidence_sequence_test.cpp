#include "modules/stats/confidence_sequence.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <random>
#include <vector>

#include "modules/stats/normal.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::tests {
namespace {

using namespace stats;

ConfidenceSequence after(std::int64_t successes, std::int64_t trials, double alpha = 0.001) {
  ConfidenceSequence sequence(alpha);
  sequence.observe(successes, trials);
  return sequence;
}

TEST(ConfidenceSequence, EqualsTheBettingProduct) {
  // Each vote multiplies the wealth by what the mixture's next probability is to p's.
  const double p = 0.7;
  ConfidenceSequence sequence(0.01);
  double log_wealth = 0;
  std::int64_t successes = 0;
  for (std::int64_t t = 0; t < 40; ++t) {
    const bool hit = t % 3 != 1;
    const double q = (static_cast<double>(successes) + 0.5) / static_cast<double>(t + 1);
    log_wealth += hit ? std::log(q / p) : std::log((1 - q) / (1 - p));
    successes += hit;
    sequence.observe(hit, 1);
    EXPECT_NEAR(sequence.log_wealth(p), log_wealth, 1e-12);
  }
}

TEST(ConfidenceSequence, IsAFairBet) {
  // E[M_t(p)] = 1 at the true p, by enumeration.
  for (const double p : {0.2, 0.5, 0.9})
    for (std::int64_t t = 1; t <= 20; ++t) {
      double mean = 0;
      double choose = 1;  // t over k
      for (std::int64_t k = 0; k <= t; choose *= static_cast<double>(t - k) / static_cast<double>(k + 1), ++k)
        mean += choose * std::pow(p, k) * std::pow(1 - p, t - k) * std::exp(after(k, t).log_wealth(p));
      EXPECT_NEAR(mean, 1, 1e-10) << p << " " << t;
    }
}

TEST(ConfidenceSequence, HasTheKnownBounds) {
  for (const auto& [k, n, z] : std::vector<std::tuple<std::int64_t, std::int64_t, double>>{{100, 100, 1.3213},
                                                                                           {1000, 1000, 2.2947},
                                                                                           {10000, 10000, 3.0337},
                                                                                           {100000, 100000, 3.6476},
                                                                                           {99000, 100000, 2.2674},
                                                                                           {95000, 100000, 1.6111},
                                                                                           {75000, 100000, 0.65264}}) {
    const ConfidenceSequence sequence = after(k, n);
    EXPECT_NEAR(normal_quantile(sequence.lower()), z, 6e-5) << k << " of " << n;
    EXPECT_LE(sequence.lower().p, lower_bound(k, n, 0.001).p);
    EXPECT_LT(sequence.lower().p, sequence.upper().p);
    EXPECT_NEAR(after(n - k, n).upper().p, sequence.lower().q, 1e-15);
  }
}

TEST(ConfidenceSequence, CrossesTheTruthWithAlphaAtMost) {
  // The exact probability that the wealth at the true p ever reaches 1 / alpha within 1000 votes: a walk over (t, S).
  constexpr double kAlpha = 0.05;
  constexpr std::int64_t kVotes = 1000;
  for (const double p : {0.5, 0.9}) {
    std::vector<double> alive = {1};
    double crossed = 0;
    for (std::int64_t t = 1; t <= kVotes; ++t) {
      std::vector<double> next(static_cast<std::size_t>(t) + 1, 0);
      for (std::size_t s = 0; s < alive.size(); ++s) {
        next[s] += (1 - p) * alive[s];
        next[s + 1] += p * alive[s];
      }
      const double mixture = std::lgamma(static_cast<double>(t) + 1) + std::log(std::numbers::pi);
      for (std::int64_t s = 0; s <= t; ++s) {
        const auto hits = static_cast<double>(s), misses = static_cast<double>(t - s);
        const double wealth = std::lgamma(hits + 0.5) + std::lgamma(misses + 0.5) - mixture - hits * std::log(p) -
                              misses * std::log(1 - p);
        if (wealth < -std::log(kAlpha)) continue;
        crossed += next[static_cast<std::size_t>(s)];
        next[static_cast<std::size_t>(s)] = 0;
      }
      alive = std::move(next);
    }
    EXPECT_LE(crossed, kAlpha) << p;
    EXPECT_GT(crossed, kAlpha / 20) << p;
  }
}

TEST(ConfidenceSequence, KeepsItsBestBounds) {
  ConfidenceSequence sequence(0.01);
  sequence.observe(100, 100);
  const double best = sequence.lower().p;
  sequence.observe(0, 50);
  EXPECT_EQ(sequence.lower().p, best);
  EXPECT_EQ(sequence.trials(), 150);
}

TEST(RadiusRace, DecidesEarly) {
  RadiusRace race({0.5, 1.0, 3.9, 2.0}, 1.0, 0.001, 100'000);
  EXPECT_TRUE(race.observe(100, 100));  // Phi^-1 of the bound is 1.32
  EXPECT_EQ(race.verdicts()[0], Verdict::kCertified);
  EXPECT_EQ(race.verdicts()[1], Verdict::kCertified);
  EXPECT_EQ(race.verdicts()[2], Verdict::kOutOfReach) << "not even successes alone reach 3.65";
  EXPECT_EQ(race.verdicts()[3], Verdict::kOpen);
  EXPECT_FALSE(race.observe(0, 60)) << "the votes say that 2.0 is too far";
  EXPECT_EQ(race.verdicts()[3], Verdict::kOutOfReach);
  EXPECT_EQ(race.verdicts()[0], Verdict::kCertified);
}

TEST(RadiusRace, AsksLittleOfClearInputs) {
  std::mt19937_64 random(3);
  std::bernoulli_distribution vote(0.99);
  double votes = 0;
  for (int run = 0; run < 50; ++run) {
    RadiusRace race({0.5}, 1.0, 0.001, 100'000);
    while (race.observe(vote(random), 1)) {
    }
    votes += static_cast<double>(race.sequence().trials()) / 50;
    EXPECT_EQ(race.verdicts()[0], Verdict::kCertified);
  }
  EXPECT_LT(votes, 40) << "of 100000";
}

TEST(RadiusRace, IsWrongWithAlphaAtMostHoweverOneStops) {
  // Stops as soon as anything is certified, which would be wrong 10 times too often with a bound for one look.
  constexpr std::int64_t kRuns = 500;
  std::mt19937_64 random(7);
  std::int64_t wrong = 0;
  for (std::int64_t run = 0; run < kRuns; ++run) {
    RadiusRace race({1.001}, 1.0, 0.05, 200);
    std::bernoulli_distribution vote(normal_cdf(1.0));
    while (race.observe(vote(random), 1)) {
    }
    wrong += race.verdicts()[0] == Verdict::kCertified;
  }
  EXPECT_LE(lower_bound(wrong, kRuns, 1e-6).p, 0.05) << wrong << " of " << kRuns;
}

TEST(RadiusRace, RefusesNonsense) {
  expect_error(Errc::kUsage, "radius must be >= 0", [] { RadiusRace({-1}, 1.0, 0.1, 10); });
  expect_error(Errc::kUsage, "alpha must be in (0, 1)", [] { ConfidenceSequence(1.0); });
}

}  // namespace
}  // namespace reseda::tests
