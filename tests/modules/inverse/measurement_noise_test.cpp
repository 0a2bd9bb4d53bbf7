#include "modules/inverse/measurement_noise.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tests/modules/diffusion/run_sampler.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::inverse {
namespace {

using tests::expect_error;

struct Moments {
  double mean, deviation;
};
Moments moments(const MeasurementNoiseConfig& config, double clean) {
  CounterNoise noise(1);
  const at::Tensor y = add_measurement_noise(config, at::full({200, 500}, clean, at::kDouble), noise, "a");
  return {y.mean().item<double>(), y.std().item<double>()};
}

at::Tensor drawn(const MeasurementNoiseConfig& config, double clean, const std::vector<at::Tensor>& draws) {
  RecordedNoise noise(draws);
  const at::Tensor y = add_measurement_noise(config, at::full({1, 1}, clean, at::kDouble), noise, "a");
  EXPECT_EQ(noise.used(), draws.size());
  return y;
}
at::Tensor one(double value) { return at::full({1, 1}, value); }

TEST(MeasurementNoise, Gaussian) {
  EXPECT_NEAR(drawn({.model = "gaussian", .sigma = 0.1}, 0.3, {one(-2)}).item<double>(), 0.1, 1e-7);
  const Moments m = moments({.model = "gaussian", .sigma = 0.2}, -0.4);
  EXPECT_NEAR(m.mean, -0.4, 0.005);
  EXPECT_NEAR(m.deviation, 0.2, 0.005);
  // Complex measurements: sigma of each part.
  RecordedNoise noise({at::complex(one(1.5), one(-0.5))});
  const at::Tensor y =
      add_measurement_noise({.model = "gaussian", .sigma = 0.1}, at::zeros({1, 1}, at::kComplexFloat), noise, "a");
  EXPECT_NEAR(at::real(y).item<double>(), 0.15 * std::sqrt(2.0), 1e-6);
  EXPECT_NEAR(at::imag(y).item<double>(), -0.05 * std::sqrt(2.0), 1e-6);
}

TEST(MeasurementNoise, PoissonIsTheQuantile) {
  // Mean 3: P(k <= 2) = 0.4232, P(k <= 3) = 0.6472; Phi(0) = 0.5. Dark 0, peak 10, clean 0.3.
  const MeasurementNoiseConfig config = {.model = "poisson", .peak = 10, .dark = 0};
  EXPECT_NEAR(drawn(config, 0.3, {one(0)}).item<double>(), 0.3, 1e-12);
  EXPECT_NEAR(drawn(config, 0.3, {one(-0.20)}).item<double>(), 0.2, 1e-12);  // Phi = 0.4207
  EXPECT_NEAR(drawn(config, 0.3, {one(0.38)}).item<double>(), 0.4, 1e-12);   // Phi = 0.6480
  EXPECT_NEAR(drawn(config, 0.3, {one(-6)}).item<double>(), 0.0, 1e-12);
  EXPECT_NEAR(drawn(config, 0.0, {one(3)}).item<double>(), 0.0, 1e-12);
  EXPECT_NEAR(drawn(config, -0.5, {one(3)}).item<double>(), 0.0, 1e-12);
}

TEST(MeasurementNoise, PoissonHasItsMoments) {
  for (const double peak : {0.7, 20.0, 5000.0}) {
    // Amount (0.2 + 1) / 2 = 0.6, y = 2 k / peak - 1.
    const Moments m = moments({.model = "poisson", .peak = peak}, 0.2);
    const double deviation = 2 * std::sqrt(0.6 / peak);
    EXPECT_NEAR(m.mean, 0.2, 0.015 * deviation);
    EXPECT_NEAR(m.deviation, deviation, 0.01 * deviation);
  }
  const Moments both = moments({.model = "poisson_gaussian", .sigma = 0.1, .peak = 200}, 0.2);
  EXPECT_NEAR(both.deviation, std::sqrt(4 * 0.6 / 200 + 0.01), 0.002);
}

TEST(MeasurementNoise, RicianIsAModulus) {
  const MeasurementNoiseConfig config = {.model = "rician", .sigma = 0.1, .dark = 0};
  EXPECT_NEAR(drawn(config, 0.3, {one(1), one(-3)}).item<double>(), 0.5, 1e-7);
  // Without signal: Rayleigh, mean sigma sqrt(pi / 2).
  EXPECT_NEAR(moments(config, 0.0).mean, 0.1 * std::sqrt(M_PI / 2), 0.001);
}

TEST(MeasurementNoise, SpeckleIsMultiplicative) {
  const at::Tensor draws = at::tensor(std::vector<float>{1, 2, 0, 1}).reshape({1, 1, 4});
  EXPECT_NEAR(drawn({.model = "speckle", .looks = 2, .dark = 0}, 0.4, {draws}).item<double>(), 0.4 * 1.5, 1e-7);
  const Moments m = moments({.model = "speckle", .looks = 4}, 0.0);
  EXPECT_NEAR(m.mean, 0.0, 0.005);
  EXPECT_NEAR(m.deviation, 1.0 / std::sqrt(4.0), 0.005);
}

TEST(MeasurementNoise, KeepsTypeAndNamesItsDraws) {
  diffusion::ListedNoise listed;
  const at::Tensor clean = at::zeros({2, 3});
  for (const char* model : {"none", "gaussian", "poisson", "poisson_gaussian", "rician", "speckle"}) {
    const at::Tensor y = add_measurement_noise({.model = model}, clean, listed, "a");
    EXPECT_EQ(y.scalar_type(), at::kFloat);
    EXPECT_EQ(y.sizes(), clean.sizes());
  }
  EXPECT_THAT(listed.draws, testing::ElementsAre("measurement 0", "measurement 0", "measurement 0", "measurement 1",
                                                 "measurement 0", "measurement 1", "measurement 0"));
}

/// ln p(y | m) up to what does not depend on m, written out.
double log_density(const MeasurementNoiseConfig& c, double y, double m) {
  const double span = 1 - c.dark, a = (m - c.dark) / span, b = (y - c.dark) / span;
  if (c.model == "gaussian") return -(y - m) * (y - m) / (2 * c.sigma * c.sigma);
  if (c.model == "poisson") return c.peak * (b * std::log(a) - a);
  if (c.model == "speckle") return -static_cast<double>(c.looks) * (std::log(a) + b / a);
  if (c.model == "rician")
    return -(a * a) * span * span / (2 * c.sigma * c.sigma) +
           std::log(std::cyl_bessel_i(0, a * b * span * span / (c.sigma * c.sigma)));
  const double variance = a / c.peak + c.sigma * c.sigma / (span * span);
  return -(b - a) * (b - a) / (2 * variance) - 0.5 * std::log(variance);
}

TEST(MeasurementNoise, LikelihoodGradientIsTheDerivative) {
  for (const char* model : {"gaussian", "poisson", "poisson_gaussian", "rician", "speckle"}) {
    for (const double dark : {-1.0, 0.0}) {
      const MeasurementNoiseConfig config = {.model = model, .sigma = 0.2, .peak = 30, .looks = 3, .dark = dark};
      const double y = 0.45, m = 0.3, h = 1e-5;
      const double expected = (log_density(config, y, m + h) - log_density(config, y, m - h)) / (2 * h);
      const double actual =
          log_likelihood_gradient(config, at::full({1}, y, at::kDouble), at::full({1}, m, at::kDouble)).item<double>();
      EXPECT_NEAR(actual, expected, 1e-5 * (1 + std::abs(expected))) << model << " " << dark;
    }
  }
}

TEST(MeasurementNoise, Refuses) {
  ZeroNoise noise;
  const auto refuse = [&](const std::string& key, const MeasurementNoiseConfig& config) {
    expect_error(Errc::kUsage, "noise." + key, [&] { add_measurement_noise(config, at::zeros({1}), noise, "a"); });
  };
  refuse("model", {.model = "salt"});
  refuse("sigma", {.sigma = -0.1});
  refuse("sigma", {.sigma = NAN});
  refuse("peak", {.model = "poisson", .peak = 0});
  refuse("peak", {.model = "poisson", .peak = INFINITY});
  refuse("looks", {.model = "speckle", .looks = 0});
  refuse("dark", {.model = "poisson", .dark = 1});
  expect_error(Errc::kUsage, "real measurement",
               [&] { add_measurement_noise({.model = "rician"}, at::zeros({1}, at::kComplexFloat), noise, "a"); });
  expect_error(Errc::kUsage, "no density",
               [] { log_likelihood_gradient({.model = "gaussian", .sigma = 0}, at::zeros({1}), at::zeros({1})); });
  expect_error(Errc::kUsage, "no density",
               [] { log_likelihood_gradient({.model = "none"}, at::zeros({1}), at::zeros({1})); });
}

}  // namespace
}  // namespace reseda::inverse
