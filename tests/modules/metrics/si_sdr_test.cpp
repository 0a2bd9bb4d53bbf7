#include "modules/metrics/si_sdr.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/core/error.hpp"
#include "tests/modules/metrics/made_signals.hpp"

namespace reseda::metrics {
namespace {

at::Tensor vec(std::initializer_list<double> values) { return at::tensor(std::vector<double>(values), at::kDouble); }

TEST(SiSdr, HandValue) {
  // r = (1, -1, 1, -1), e = 2 r + (1, 1, -1, -1): orthogonal error; t = 2 r, 10 log10(16 / 4) dB.
  const at::Tensor r = vec({1, -1, 1, -1}), e = vec({3, -1, 1, -3});
  EXPECT_NEAR(si_sdr(r, e), 6.020599913279624, 1e-9);
  EXPECT_NEAR(si_sdr(r, e + 5), 6.020599913279624, 1e-9) << "means are removed";
  EXPECT_NEAR(si_sdr(r - 3, -7 * e), 6.020599913279624, 1e-9) << "scale and sign do not matter";
  EXPECT_NEAR(si_sdr(r.to(at::kFloat), e.to(at::kFloat)), 6.020599913279624, 1e-6);
}

TEST(SiSdr, Limits) {
  const at::Tensor x = test::made_noise(1000, 3), zero = at::zeros({1000}, at::kDouble);
  EXPECT_GT(si_sdr(x, 0.3 * x), 150.0);
  EXPECT_EQ(si_sdr(zero, zero), 0.0);
  EXPECT_LT(si_sdr(zero, x), -150.0);
  EXPECT_EQ(si_sdr(x, zero), 0.0);
}

TEST(EnergyRatios, HandValues) {
  // Orthogonal x, n, a of energy 4: e = 3 x + n + a.
  const at::Tensor x = vec({1, -1, 1, -1}), n = vec({1, 1, -1, -1}), a = vec({1, -1, -1, 1});
  const EnergyRatios r = energy_ratios(x, n, 3 * x + n + a);
  EXPECT_NEAR(r.si_sdr, 10 * std::log10(9.0 / 2), 1e-12);
  EXPECT_NEAR(r.si_sir, 10 * std::log10(9.0), 1e-12);
  EXPECT_NEAR(r.si_sar, 10 * std::log10(9.0), 1e-12);
  EXPECT_TRUE(std::isinf(energy_ratios(x, n, 3 * x + n).si_sar));
}

TEST(EnergyRatios, NoiseIsNotMadeOrthogonal) {
  // x = (1, 0), n = (1, 1), e = x: i = <e, n> / 2 n = (1/2, 1/2) though e holds no noise.
  const EnergyRatios r = energy_ratios(vec({1, 0}), vec({1, 1}), vec({1, 0}));
  EXPECT_NEAR(r.si_sir, 10 * std::log10(2.0), 1e-12);
  EXPECT_NEAR(r.si_sar, 10 * std::log10(2.0), 1e-12);
}

TEST(EnergyRatios, MeansStay) {
  const at::Tensor x = vec({1, -1, 1, -1}), e = vec({3, -1, 1, -3}) + 1;
  EXPECT_NEAR(energy_ratios(x, x + 1, e).si_sdr, 10 * std::log10(16.0 / 8), 1e-12);
}

TEST(SiSdr, BadInputIsNamed) {
  const auto message = [](const at::Tensor& a, const at::Tensor& b) -> std::string {
    try {
      si_sdr(a, b);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Errc::kInput);
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(message(at::zeros({3}), at::zeros({4})), "si_sdr: both signals must have one length, got 3 and 4 samples");
  EXPECT_EQ(message(at::zeros({0}), at::zeros({0})), "si_sdr: the signals are empty");
  EXPECT_NE(message(at::zeros({1, 3}), at::zeros({3})).find("one-dimensional"), std::string::npos);
  EXPECT_NE(message(at::zeros({3}, at::kLong), at::zeros({3})).find("real"), std::string::npos);
}

}  // namespace
}  // namespace reseda::metrics
