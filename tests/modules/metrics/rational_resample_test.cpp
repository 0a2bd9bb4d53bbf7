#include "modules/metrics/rational_resample.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "modules/core/error.hpp"

namespace reseda::metrics {
namespace {

TEST(RationalResample, FilterIsSymmetricWithUnitSum) {
  const std::vector<double> h = resampling_filter(5, 8);
  ASSERT_EQ(h.size(), 2 * 290 + 1) << "L = ceil(52 * 160 / 28.714)";
  EXPECT_NEAR(std::accumulate(h.begin(), h.end(), 0.0), 1.0, 1e-12);
  for (std::size_t i = 0; i < 290; ++i) EXPECT_EQ(h[i], h[580 - i]);
  EXPECT_NEAR(h[290 + 8], 0.0, 1e-15) << "sinc(2 f 8) = sinc(1)";
}

TEST(RationalResample, EqualsOctaveAndScipy) {
  // An impulse at sample 31, 16 to 10 kHz, and a ramp, 8 to 10 kHz: scipy.signal.resample_poly with Octave's filter.
  const at::Tensor impulse = at::zeros({64}, at::kDouble);
  impulse[31] = 1.0;
  const at::Tensor y = rational_resample(impulse, 10000, 16000);
  const double expected[] = {-0.05326455388624367, 0.07654776737439058,  -0.1331905974852581, 0.49003564483017326,
                             0.293878060565145,    -0.11253489216228768, 0.06908852059109764, -0.04942147493248849};
  ASSERT_EQ(y.size(0), 40);
  for (int i = 0; i < 8; ++i) EXPECT_NEAR(y[16 + i].item<double>(), expected[i], 1e-12);

  const at::Tensor ramp = rational_resample(at::arange(20, at::kDouble), 10000, 8000);
  ASSERT_EQ(ramp.size(0), 25);
  EXPECT_NEAR(ramp[1].item<double>(), 0.8058340184373456, 1e-11);
  EXPECT_NEAR(ramp[24].item<double>(), 15.864201467502108, 1e-11);
}

TEST(RationalResample, KeepsASineInside) {
  const at::Tensor x = at::sin(2 * M_PI * 1000.0 / 44100 * at::arange(44100, at::kDouble));
  const at::Tensor y = rational_resample(x, 10000, 44100);
  const at::Tensor z = at::sin(2 * M_PI * 1000.0 / 10000 * at::arange(10000, at::kDouble));
  ASSERT_EQ(y.size(0), 10000);
  EXPECT_LT((y - z).narrow(0, 200, 9600).abs().max().item<double>(), 2e-3);
}

TEST(RationalResample, EqualRatesAndBadRates) {
  const at::Tensor x = at::arange(5, at::kDouble);
  EXPECT_TRUE(rational_resample(x, 10000, 10000).equal(x));
  EXPECT_THROW(rational_resample(x, 10000, 0), Error);
  EXPECT_THROW(rational_resample(x, 10000, 768001), Error);
}

}  // namespace
}  // namespace reseda::metrics
