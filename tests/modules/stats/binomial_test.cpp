#include "modules/stats/binomial.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "modules/stats/normal.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::tests {
namespace {

using namespace stats;

struct Row {
  std::int64_t k, n;
  double alpha, p, z;
};

TEST(BinomialBound, EqualsTheTableNeverAboveIt) {
  // 40-digit arithmetic, rounded to 17 digits.
  const std::vector<Row> rows = {{100, 100, 0.001, 0.93325430079699104, 1.500475024121},
                                 {99, 100, 0.001, 0.91137311129604243, 1.34925903881},
                                 {66, 100, 0.001, 0.50164995133687264, 0.004135826463},
                                 {1, 100, 0.001, 1.0004953285956377e-5, -4.2647802243},
                                 {9999, 10000, 0.001, 0.99907703866933949, 3.113963592183},
                                 {5155, 10000, 0.001, 0.49999993940747182, -1.518829e-7},
                                 {100000, 100000, 0.001, 0.99993092483300939, 3.81145656339},
                                 {99000, 100000, 0.001, 0.98898934037747476, 2.289999955214},
                                 {50489, 100000, 0.001, 0.49999894848863553, -2.6357481e-6},
                                 {999999, 1000000, 0.001, 0.99999076662453471, 4.282665707752},
                                 {99000, 100000, 1e-6, 0.9884226791041275, 2.270873419086}};
  for (const Row& row : rows) {
    const ProbabilityBound bound = lower_bound(row.k, row.n, row.alpha);
    EXPECT_LE(bound.p, row.p) << row.k << " of " << row.n;
    EXPECT_GE(bound.p, row.p * (1 - 1e-13)) << row.k << " of " << row.n;
    EXPECT_NEAR(bound.p + bound.q, 1, 1e-13);
    EXPECT_NEAR(normal_quantile(bound), row.z, 1e-11) << row.k << " of " << row.n;
  }
}

TEST(BinomialBound, KeepsTheDigitsOfTheComplement) {
  // 1 - alpha^(1/n) = -expm1(ln(alpha) / n).
  const double q = lower_bound(1'000'000'000, 1'000'000'000, 0.001).q;
  EXPECT_NEAR(q / -std::expm1(std::log(0.001) / 1e9), 1, 1e-13);
}

TEST(BinomialBound, HasItsEnds) {
  EXPECT_EQ(lower_bound(0, 10, 0.05).p, 0);
  EXPECT_EQ(upper_bound(10, 10, 0.05).p, 1);
  EXPECT_NEAR(upper_bound(0, 10, 0.05).p, 1 - std::pow(0.05, 0.1), 1e-13);
  EXPECT_GE(upper_bound(0, 10, 0.05).p, 1 - std::pow(0.05, 0.1));
}

/// P[the bound is above p], summed over every outcome.
double failure_rate(std::int64_t n, double p, double alpha) {
  double rate = 0;
  for (std::int64_t k = 0; k <= n; ++k)
    if (lower_bound(k, n, alpha).p > p) rate += binomial_upper_tail(k, n, p) - binomial_upper_tail(k + 1, n, p);
  return rate;
}

TEST(BinomialBound, FailsWithAlphaAtMost) {
  for (const std::int64_t n : {10, 50, 200})
    for (const double alpha : {0.001, 0.05})
      for (double p = 0.05; p < 1; p += 0.05) EXPECT_LE(failure_rate(n, p, alpha), alpha) << n << " at " << p;
}

TEST(BinomialBound, RisesWithTheCountAndWithAlpha) {
  double before = -1;
  for (std::int64_t k = 0; k <= 50; ++k) {
    const double bound = lower_bound(k, 50, 0.01).p;
    EXPECT_GT(bound, before);
    EXPECT_LE(bound, lower_bound(k, 50, 0.02).p);
    EXPECT_LE(bound, static_cast<double>(k) / 50);
    EXPECT_GE(upper_bound(k, 50, 0.01).p, static_cast<double>(k) / 50);
    before = bound;
  }
}

TEST(BinomialBound, RefusesWhatItCannotMean) {
  expect_error(Errc::kUsage, "0 to as many successes", [] { lower_bound(11, 10, 0.05); });
  expect_error(Errc::kUsage, "alpha must be in (0, 1)", [] { lower_bound(1, 10, 0); });
}

TEST(EvenSplit, TestsTwoSided) {
  EXPECT_NEAR(even_split_p_value(3, 0), 0.25, 1e-15);  // 2 / 8
  EXPECT_EQ(even_split_p_value(0, 3), even_split_p_value(3, 0));
  EXPECT_EQ(even_split_p_value(2, 2), 1);
  EXPECT_EQ(even_split_p_value(0, 0), 1);
}

TEST(Normal, InvertsItself) {
  for (const double z : {-8.0, -1.0, 0.0, 0.3, 6.0})
    EXPECT_NEAR(normal_quantile({normal_cdf(z), normal_cdf(-z)}), z, 1e-14 * (1 + std::abs(z)));
  EXPECT_NEAR(normal_cdf(1), 0.84134474606854293, 1e-15);
}

}  // namespace
}  // namespace reseda::tests
