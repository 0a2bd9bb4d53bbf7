#include "modules/train/noise_pairing.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "modules/core/error.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::train {
namespace {

double total(const at::Tensor& cost, const std::vector<std::int64_t>& order) {
  double sum = 0;
  for (std::size_t i = 0; i < order.size(); ++i) sum += cost[static_cast<std::int64_t>(i)][order[i]].item<double>();
  return sum;
}

TEST(Assign, SolvesATableByHand) {
  // 2 + 1 + 2: taking the cheapest of the first row, 1, would end at 1 + 5 + 2 or worse.
  const at::Tensor cost = at::tensor({2.0, 1.0, 9.0, 9.0, 1.0, 5.0, 6.0, 4.0, 2.0}, at::kDouble).reshape({3, 3});
  EXPECT_EQ(assign(cost), (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(assign(at::tensor({4.0, -3.0, -2.0, 5.0}, at::kDouble).reshape({2, 2})), (std::vector<std::int64_t>{1, 0}));
  EXPECT_EQ(assign(at::zeros({1, 1})), std::vector<std::int64_t>{0});
  EXPECT_TRUE(assign(at::zeros({0, 0})).empty());
}

TEST(Assign, IsOptimalAgainstEveryPermutation) {
  CounterNoise noise(5);
  for (std::int64_t n = 1; n <= 8; ++n) {
    for (std::uint32_t trial = 0; trial < (n < 8 ? 6U : 1U); ++trial) {
      at::Tensor cost = noise.normal({"cost", "table", trial}, {n, n}).to(at::kDouble);
      if (trial % 2 == 1) cost = (3 * cost).round();  // ties
      std::vector<std::int64_t> order(static_cast<std::size_t>(n));
      std::iota(order.begin(), order.end(), 0);
      const auto table = cost.accessor<double, 2>();
      double best = total(cost, order);
      do {
        double sum = 0;
        for (std::int64_t i = 0; i < n; ++i) sum += table[i][order[static_cast<std::size_t>(i)]];
        best = std::min(best, sum);
      } while (std::next_permutation(order.begin(), order.end()));
      const auto found = assign(cost);
      std::vector<std::int64_t> sorted = found;
      std::sort(sorted.begin(), sorted.end());
      for (std::int64_t i = 0; i < n; ++i) EXPECT_EQ(sorted[static_cast<std::size_t>(i)], i);
      EXPECT_NEAR(total(cost, found), best, 1e-12) << n << " " << trial;
    }
  }
}

class NoisePairingTest : public testing::Test {
 protected:
  at::Tensor images(std::int64_t count, std::int64_t side) {
    return noise_.normal({"images", "x0", 0}, {count, 1, side, side});
  }
  at::Tensor draw(const NoisePairingConfig& config, const at::Tensor& x, std::uint32_t step = 0) {
    return NoisePairing(config).draw(x, noise_, {"batch", "eps", step});
  }
  static double distance(const at::Tensor& x, const at::Tensor& eps) { return (x - eps).square().sum().item<double>(); }
  CounterNoise noise_{2};
};

TEST_F(NoisePairingTest, AssignmentExchangesTheDrawsOfTheBatch) {
  const at::Tensor x = images(24, 4), plain = draw({}, x), paired = draw({.method = "assignment"}, x);
  EXPECT_TRUE(at::equal(plain, noise_.normal({"batch", "eps", 0}, x.sizes())));
  EXPECT_TRUE(
      at::equal(std::get<0>(plain.flatten(1).select(1, 0).sort()), std::get<0>(paired.flatten(1).select(1, 0).sort())));
  EXPECT_LT(distance(x, paired), 0.9 * distance(x, plain));
  // No exchange of two draws brings the batch nearer.
  for (std::int64_t i = 0; i < 24; ++i)
    for (std::int64_t j = 0; j < i; ++j) {
      const double kept = ((x[i] * paired[i]).sum() + (x[j] * paired[j]).sum()).item<double>();
      const double swapped = ((x[i] * paired[j]).sum() + (x[j] * paired[i]).sum()).item<double>();
      EXPECT_GE(kept, swapped - 1e-4);
    }
}

TEST_F(NoisePairingTest, GroupsExchangeAmongThemselves) {
  const at::Tensor x = images(7, 3), plain = draw({}, x), paired = draw({.method = "assignment", .group = 3}, x);
  const auto sorted = [](const at::Tensor& rows) { return std::get<0>(rows.flatten(1).select(1, 0).sort()); };
  for (const auto& [first, count] : std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 3}, {3, 3}, {6, 1}}) {
    EXPECT_TRUE(at::equal(sorted(plain.narrow(0, first, count)), sorted(paired.narrow(0, first, count))));
  }
  EXPECT_EQ(draw({.method = "assignment"}, images(0, 3)).size(0), 0);
}

TEST_F(NoisePairingTest, NearestChoosesForEachItem) {
  const at::Tensor x = images(6, 2), drawn = noise_.normal({"batch", "eps", 0}, {5, 6, 1, 2, 2});
  const at::Tensor found = draw({.method = "nearest", .candidates = 5}, x);
  for (std::int64_t i = 0; i < 6; ++i) {
    double best = 1e9;
    for (std::int64_t k = 0; k < 5; ++k) best = std::min(best, distance(x[i], drawn[k][i]));
    EXPECT_NEAR(distance(x[i], found[i]), best, 1e-5);
  }
  EXPECT_TRUE(at::equal(draw({.method = "nearest", .candidates = 1}, x), draw({}, x)));
}

TEST_F(NoisePairingTest, NearestNarrowsTheNoiseInFewDimensions) {
  const auto variance = [&](std::int64_t side) {
    return draw({.method = "nearest", .candidates = 16}, at::zeros({400, 1, side, side})).var().item<double>();
  };
  EXPECT_LT(variance(1), 0.1);
  EXPECT_LT(variance(2), 0.6);
  EXPECT_GT(variance(16), 0.8);
  EXPECT_GT(variance(16), variance(4));
}

/// The effect: what a perfect network cannot know of the target, because paths of different items cross.
TEST_F(NoisePairingTest, LeavesLessToAverage) {
  const at::Tensor x = at::where(noise_.uniform({"batch", "side", 0}, {256, 1}) < 0.5, -1.0F, 1.0F);
  const auto unexplained = [&](const NoisePairingConfig& config) {
    // The flow x_t = 0.3 x0 + 0.7 eps with target eps - x0: the variance within narrow bins of x_t.
    std::vector<at::Tensor> states, targets;
    for (std::uint32_t step = 0; step < 20; ++step) {
      const at::Tensor eps = draw(config, x, step);
      states.push_back((0.3 * x + 0.7 * eps).flatten());
      targets.push_back((eps - x).flatten());
    }
    const at::Tensor bins = (at::cat(states) * 10).floor().clamp(-30, 30).to(at::kLong) + 30, target = at::cat(targets);
    const at::Tensor zero = at::zeros({61}), count = zero.index_add(0, bins, at::ones_like(target)).clamp_min(1.0);
    const at::Tensor mean = zero.index_add(0, bins, target) / count;
    return (target - mean.index_select(0, bins)).square().mean().item<double>();
  };
  const double plain = unexplained({}), paired = unexplained({.method = "assignment"});
  EXPECT_GT(plain, 0.5);
  EXPECT_LT(paired, 0.2 * plain);
  EXPECT_LT(unexplained({.method = "nearest", .candidates = 4}), 0.7 * plain);
}

TEST_F(NoisePairingTest, SaysWhatIsWrong) {
  tests::expect_error(Errc::kUsage, "noise_pairing.method must be one of none, assignment, nearest, got 'best'",
                      [] { NoisePairing({.method = "best"}); });
  tests::expect_error(Errc::kUsage, "noise_pairing.group must be in 2 to 4096, got 1",
                      [] { NoisePairing({.group = 1}); });
  tests::expect_error(Errc::kUsage, "noise_pairing.candidates must be in 1 to 1024, got 0",
                      [] { NoisePairing({.candidates = 0}); });
  tests::expect_error(Errc::kInternal, "", [] { assign(at::zeros({2, 3})); });
  tests::expect_error(Errc::kInternal, "", [] { assign(at::full({2, 2}, std::nan(""))); });
}

}  // namespace
}  // namespace reseda::train
