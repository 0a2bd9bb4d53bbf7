#include "modules/diffusion/processes/monotone_curve.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::diffusion {
namespace {

TEST(MonotoneCurve, MeetsParabolas) {
  // x^2 / 2 + x / 2 at whole numbers: 0, 1, 3, 6, 10
  const MonotoneCurve curve({0, 1, 3, 6, 10});
  for (const double x : {0.0, 0.25, 1.5, 2.75, 3.9, 4.0}) {
    EXPECT_NEAR(curve.at(x), 0.5 * x * (x + 1), 1e-14) << x;
    EXPECT_NEAR(curve.slope(x), x + 0.5, 1e-14) << x;
  }
}

TEST(MonotoneCurve, GivesTheValuesThemselves) {
  const std::vector<double> values = {0, 0.1, 0.7, 0.7, 0.9};
  const MonotoneCurve curve(values);
  for (std::size_t i = 0; i < values.size(); ++i)
    for (const double off : {-1e-10, 0.0, 1e-10}) EXPECT_EQ(curve.at(static_cast<double>(i) + off), values[i]);
}

TEST(MonotoneCurve, NeverTurnsAround) {
  const MonotoneCurve curve({0, 1e-6, 5, 5, 5.01, 100});
  for (double x = 0; x < 4.999; x += 1e-3) {
    EXPECT_GE(curve.at(x + 1e-3), curve.at(x)) << x;
    EXPECT_GE(curve.slope(x), 0) << x;
  }
  EXPECT_EQ(curve.slope(2.5), 0);
}

TEST(MonotoneCurve, SlopeIsTheDerivativeAndContinuous) {
  const MonotoneCurve curve({0, 2, 3, 7, 7.5});
  for (double x = 0.01; x < 4; x += 0.137)
    EXPECT_NEAR(curve.slope(x), (curve.at(x + 1e-6) - curve.at(x - 1e-6)) / 2e-6, 1e-7) << x;
  for (const double x : {1.0, 2.0, 3.0}) EXPECT_NEAR(curve.slope(x - 1e-7), curve.slope(x + 1e-7), 1e-5) << x;
}

TEST(MonotoneCurve, TwoValuesMakeALine) {
  const MonotoneCurve curve({1, 3});
  EXPECT_NEAR(curve.at(0.25), 1.5, 1e-15);
  EXPECT_NEAR(curve.slope(0.9), 2, 1e-15);
}

TEST(MonotoneCurve, RefusesPositionsOutside) {
  const MonotoneCurve curve({0, 1, 2});
  for (const double x : {-0.1, 2.1}) {
    const auto [code, message] = error_of([&] { curve.at(x); });
    EXPECT_EQ(code, Errc::kInternal);
    EXPECT_NE(message.find("0 to 2"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace reseda::diffusion
