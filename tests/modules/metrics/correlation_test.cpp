#include "modules/metrics/correlation.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/expect_error.hpp"

namespace reseda::metrics {
namespace {

// Recorded with SciPy.
TEST(Correlation, RecordedValues) {
  const at::Tensor i = at::arange(40, at::kLong), x = (i * i).remainder(17).to(at::kDouble),
                   y = 0.5 * (7 * i + 3 * i * i).remainder(11).to(at::kDouble) + 0.05 * x * x;
  EXPECT_NEAR(pearson_correlation(x, y), 0.9187379645184023, 1e-14);
  EXPECT_NEAR(spearman_correlation(x, y), 0.8852852886569292, 1e-14);
  EXPECT_NEAR(pearson_correlation(x.view({5, 8}), -y.view({5, 8})), -0.9187379645184023, 1e-14);
}

TEST(Correlation, RanksSeeOrderAloneAndShareTies) {
  const at::Tensor x = at::linspace(0, 3, 20);
  EXPECT_NEAR(spearman_correlation(x, x.exp()), 1, 1e-14);
  EXPECT_LT(pearson_correlation(x, x.exp()), 0.95);
  // Ranks 1, 2.5, 2.5, 4 and 1, 3, 3, 3: covariance sum 3, squares 4.5 and 3.
  EXPECT_NEAR(spearman_correlation(at::tensor({0.0, 5.0, 5.0, 9.0}), at::tensor({1.0, 2.0, 2.0, 2.0})),
              3 / std::sqrt(13.5), 1e-14);
}

TEST(Correlation, IsUndefinedWithoutVariation) {
  const at::Tensor x = at::arange(4, at::kFloat);
  EXPECT_TRUE(std::isnan(pearson_correlation(x, at::ones({4}))));
  EXPECT_TRUE(std::isnan(spearman_correlation(at::ones({4}), x)));
  EXPECT_TRUE(std::isnan(pearson_correlation(at::empty({0}), at::empty({0}))));
  tests::expect_error(Errc::kInput, "both samples must have one shape", [&] {
    spearman_correlation(x, x.view({2, 2}));
  });
}

}  // namespace
}  // namespace reseda::metrics
