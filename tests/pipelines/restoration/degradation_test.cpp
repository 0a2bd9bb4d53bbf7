#include "pipelines/restoration/degradation.hpp"

#include "tests/pipelines/restoration/restoration_fixture.hpp"

namespace reseda::restoration {
namespace {

TEST(GaussianBlurTest, SpreadsAPointByTheKernel) {
  const double sigma = 0.5;  // radius 2
  at::Tensor x = at::zeros({1, 9, 9}, at::kDouble);
  x[0][4][4] = 1;
  const at::Tensor y = gaussian_blur(x, sigma);
  double norm = 0;
  for (int d = -2; d <= 2; ++d) norm += std::exp(-0.5 * d * d / (sigma * sigma));
  const auto weight = [&](int d) { return std::exp(-0.5 * d * d / (sigma * sigma)) / norm; };
  EXPECT_NEAR(y[0][4][4].item<double>(), weight(0) * weight(0), 1e-12);
  EXPECT_NEAR(y[0][3][4].item<double>(), weight(1) * weight(0), 1e-12);
  EXPECT_NEAR(y[0][6][5].item<double>(), weight(2) * weight(1), 1e-12);
  EXPECT_EQ(y[0][7][4].item<double>(), 0.0);
}

TEST(GaussianBlurTest, KeepsAConstantUpToTheBordersAndIsNothingAtZero) {
  const at::Tensor x = at::full({2, 8, 9}, 0.25, at::kDouble);
  EXPECT_TRUE(at::allclose(gaussian_blur(x, 1.3), x));
  const at::Tensor ramp = at::arange(72, at::kDouble).reshape({1, 8, 9});
  EXPECT_TRUE(gaussian_blur(ramp, 0.0).equal(ramp));
}

TEST(DegradeTest, AddsNoiseOfTheGivenShareOfTheRange) {
  CounterNoise noise(3);
  const DegradationConfig config{.noise_low = 0.1, .noise_high = 0.1};
  const at::Tensor x = at::zeros({1, 100, 100});
  const at::Tensor y = degrade(x, config, noise, "a.png");
  EXPECT_NEAR(y.std().item<double>(), 0.2, 0.005);  // 0.1 of the range 2
  EXPECT_NEAR(y.mean().item<double>(), 0.0, 0.006);
  EXPECT_TRUE(y.equal(degrade(x, config, noise, "a.png")));
  EXPECT_FALSE(y.equal(degrade(x, config, noise, "b.png")));
  EXPECT_FALSE(y.equal(degrade(x, config, noise, "a.png", 1)));
}

TEST(DegradeTest, DrawsStrengthsFromTheirRange) {
  CounterNoise noise(3);
  const at::Tensor x = at::zeros({1, 64, 64});
  double least = 9, most = 0;
  for (std::uint32_t step = 0; step < 40; ++step) {
    const double deviation =
        degrade(x, {.noise_low = 0.1, .noise_high = 0.3}, noise, "a", step).std().item<double>() / 2;
    least = std::min(least, deviation);
    most = std::max(most, deviation);
  }
  EXPECT_GT(least, 0.095);
  EXPECT_LT(least, 0.14);
  EXPECT_GT(most, 0.26);
  EXPECT_LT(most, 0.31);
}

TEST(DegradationConfigTest, RefusesWhatCannotBe) {
  expect_error(Errc::kUsage, "blur_low", [] { DegradationConfig{.blur_low = 2, .blur_high = 1}.validate(); });
  expect_error(Errc::kUsage, "noise_low", [] { DegradationConfig{.noise_low = -1}.validate(); });
}

}  // namespace
}  // namespace reseda::restoration
