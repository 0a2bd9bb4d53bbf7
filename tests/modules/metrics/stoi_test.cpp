#include "modules/metrics/stoi.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/core/error.hpp"
#include "tests/modules/metrics/made_signals.hpp"

namespace reseda::metrics {
namespace {

/// Values of pystoi 0.4.1 for 1.7 s of made speech x: STOI and ESTOI of 0.7 x + 0.03 v, ESTOI of x delayed by 40
/// samples (circularly) + 0.01 v.
struct Recorded {
  std::int64_t rate;
  double stoi, estoi, estoi_delayed;
};

class StoiRecorded : public testing::TestWithParam<Recorded> {};

TEST_P(StoiRecorded, EqualsPystoi) {
  const Recorded r = GetParam();
  const std::int64_t length = static_cast<std::int64_t>(1.7 * static_cast<double>(r.rate)) + 13;
  const at::Tensor x = test::made_speech(length, static_cast<double>(r.rate)), v = test::made_noise(length, 7);
  const at::Tensor y = 0.7 * x + 0.03 * v;
  EXPECT_NEAR(stoi(x, y, r.rate), r.stoi, 1e-9);
  EXPECT_NEAR(estoi(x, y, r.rate), r.estoi, 1e-9);
  EXPECT_NEAR(estoi(x, at::roll(x, 40) + 0.01 * v, r.rate), r.estoi_delayed, 1e-9);
}

INSTANTIATE_TEST_SUITE_P(Rates, StoiRecorded,
                         testing::Values(Recorded{8000, 0.8641086397290525, 0.08225502094645816, 0.3329162468513158},
                                         Recorded{10000, 0.894187493296226, 0.12117013399838945, 0.3762859785495584},
                                         Recorded{16000, 0.9149051693812028, 0.19792670239478805, 0.4680676809540841},
                                         Recorded{44100, 0.9481983522832543, 0.272846044086218, 0.5248850011886697},
                                         Recorded{48000, 0.949060487149687, 0.309543042241944, 0.5185977815130647}),
                         [](const auto& param) { return std::to_string(param.param.rate); });

TEST(Stoi, PerfectAndScaled) {
  const at::Tensor x = test::made_noise(16000, 5);
  EXPECT_NEAR(stoi(x, x, 16000), 1.0, 1e-12);
  EXPECT_NEAR(estoi(x, x, 16000), 1.0, 1e-12);
  const at::Tensor y = x + test::made_noise(16000, 11);
  EXPECT_NEAR(estoi(x, y, 16000), estoi(x, 5 * y, 16000), 1e-12);
  EXPECT_NEAR(stoi(x, y, 16000), stoi(x, 5 * y, 16000), 1e-9);
}

TEST(Stoi, SilentEstimateScoresZero) {
  const at::Tensor x = test::made_speech(16000, 16000), zero = at::zeros({16000}, at::kDouble);
  EXPECT_NEAR(estoi(x, zero, 16000), 0.0, 1e-12);
  EXPECT_NEAR(stoi(x, zero, 16000), 0.0, 1e-12);
}

TEST(Stoi, TooShortIsNan) {
  // 30 frames need 29 hops and a frame at 10 kHz, and the last frame is not taken when it ends with the signal.
  const std::int64_t least = 29 * 128 + 256 + 1;
  const at::Tensor x = test::made_noise(2 * least, 5);
  EXPECT_FALSE(std::isnan(estoi(x.narrow(0, 0, least + 128), x.narrow(0, 0, least + 128), 10000)));
  EXPECT_TRUE(std::isnan(estoi(x.narrow(0, 0, least - 1), x.narrow(0, 0, least - 1), 10000)));
  EXPECT_TRUE(std::isnan(stoi(x.narrow(0, 0, 100), x.narrow(0, 0, 100), 10000)));
  EXPECT_TRUE(std::isnan(stoi(at::zeros({100}), at::zeros({100}), 48000)));
}

TEST(Stoi, LongSignalsEqualTheMeanOfTheirRuns) {
  // More runs than are computed at once: 60 s.
  const at::Tensor x = test::made_noise(600000, 5), y = x + 0.5 * test::made_noise(600000, 23);
  const double whole = estoi(x, y, 10000);
  EXPECT_GT(whole, 0.7);
  EXPECT_NEAR(whole, estoi(x.narrow(0, 0, 300000), y.narrow(0, 0, 300000), 10000), 0.01);
}

TEST(Stoi, Errors) {
  EXPECT_THROW(stoi(at::zeros({5}), at::zeros({6}), 16000), Error);
  EXPECT_THROW(estoi(at::zeros({5}), at::zeros({5}), 0), Error);
}

}  // namespace
}  // namespace reseda::metrics
