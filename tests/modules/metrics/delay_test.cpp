#include "modules/metrics/delay.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "modules/core/error.hpp"
#include "tests/modules/metrics/made_signals.hpp"

namespace reseda::metrics {
namespace {

TEST(DelaySamples, FindsShiftsOfBothSigns) {
  const at::Tensor x = test::made_noise(5000, 3);
  EXPECT_EQ(delay_samples(x, x, 100), 0);
  EXPECT_EQ(delay_samples(x, at::constant_pad_nd(x.narrow(0, 0, 4993), {7, 0}), 100), 7) << "the estimate lags";
  EXPECT_EQ(delay_samples(x, at::constant_pad_nd(x.narrow(0, 12, 4988), {0, 12}), 100), -12);
  EXPECT_EQ(delay_samples(x, at::roll(x, 100) * 0.1, 100), 100);
  EXPECT_NE(delay_samples(x, at::roll(x, 101), 100), 101) << "outside of the range";
}

TEST(DelaySamples, LongSignalsAreJoinedFromBlocks) {
  const at::Tensor x = test::made_noise(600001, 3), shifted = at::roll(x, -31);
  EXPECT_EQ(delay_samples(x, shifted, 50), -31);
}

TEST(DelaySamples, SilenceAndSingleSamples) {
  const at::Tensor zero = at::zeros({50});
  EXPECT_EQ(delay_samples(zero, zero, 10), 0);
  EXPECT_EQ(delay_samples(at::ones({1}), at::ones({1}), 10), 0);
  EXPECT_EQ(delay_samples(at::tensor({1.0, 0.0}), at::tensor({0.0, 1.0}), 10), 1);
  EXPECT_THROW(delay_samples(at::zeros({3}), at::zeros({4}), 1), Error);
}

}  // namespace
}  // namespace reseda::metrics
