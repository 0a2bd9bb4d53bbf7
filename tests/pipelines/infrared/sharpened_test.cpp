#include "pipelines/infrared/sharpened.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/signal/resize.hpp"
#include "pipelines/infrared/interpolation.hpp"

namespace reseda::tests {
namespace {

at::Tensor waves(std::int64_t height, std::int64_t width, double period) {
  const double step = 2 * M_PI / period;
  const at::Tensor rows = at::sin(at::arange(height, at::kDouble) * step),
                   columns = at::cos(at::arange(width, at::kDouble) * step);
  return (0.5 * rows.unsqueeze(1) * columns.unsqueeze(0)).to(at::kFloat).view({1, 1, height, width});
}

double mean_gradient(const at::Tensor& x) {
  const std::int64_t height = x.size(2), width = x.size(3);
  const auto cut = [&](int row, int column) {
    return x.slice(2, 1 + row, height - 1 + row).slice(3, 1 + column, width - 1 + column);
  };
  return (0.5 * at::hypot(cut(0, 1) - cut(0, -1), cut(1, 0) - cut(-1, 0))).mean().item<double>();
}

TEST(Sharpened, ReachesTheGradientAskedForAndKeepsTheMean) {
  const at::Tensor high = waves(64, 80, 9);
  for (const double factor : {1.05, 1.3}) {
    const at::Tensor got = infrared::sharpened(high, factor);
    EXPECT_NEAR(mean_gradient(got) / mean_gradient(high), factor, 0.01);
    EXPECT_NEAR(got.mean().item<double>(), high.mean().item<double>(), 2e-3);
  }
  EXPECT_TRUE(at::equal(infrared::sharpened(high, 1.0), high));
  EXPECT_TRUE(at::equal(infrared::sharpened(high, 0.5), high));
}

TEST(Sharpened, IsTheUnsharpMaskOfItsGaussian) {
  // One bright pixel: the share a found, the middle is 1 + a (1 - w^2) with w the Gaussian's middle weight.
  at::Tensor high = at::zeros({1, 1, 15, 15});
  high[0][0][7][7] = 1;
  const at::Tensor got = infrared::sharpened(high, 1.5);
  double sum = 0;
  for (int i = -3; i <= 3; ++i) sum += std::exp(-i * i / 1.28);
  const double w0 = 1 / sum, w1 = std::exp(-1 / 1.28) / sum;
  const double a = (got[0][0][7][7].item<double>() - 1) / (1 - w0 * w0);
  EXPECT_GT(a, 0);
  EXPECT_NEAR(got[0][0][7][8].item<double>(), -a * w0 * w1, 1e-5);
  EXPECT_NEAR(got[0][0][8][8].item<double>(), -a * w1 * w1, 1e-5);
}

TEST(Sharpened, KnowsNoBoundsButItsOwn) {
  const at::Tensor high = waves(32, 32, 9);
  EXPECT_LT(mean_gradient(infrared::sharpened(high, 100)) / mean_gradient(high), 3.5) << "a is 2.5 at most";
  for (const auto& [height, width] : {std::pair<int, int>{1, 1}, {1, 40}, {2, 2}}) {
    const at::Tensor small = at::rand({1, 1, 4 * height, 4 * width});
    EXPECT_TRUE(infrared::sharpened(small, 1.2).isfinite().all().item<bool>());
    EXPECT_TRUE(std::isfinite(infrared::kept_sharpness(small, at::rand({1, 1, height, width}))));
  }
}

TEST(KeptSharpness, FollowsWhatWasAdded) {
  const at::Tensor low = waves(32, 40, 5), plain = signal::resize(low, 128, 160, "pillow_bicubic");
  const double lost =
      std::sqrt((low - signal::resize(signal::resize(low, 16, 20, "pillow_bicubic"), 32, 40, "pillow_bicubic"))
                    .square()
                    .mean()
                    .item<double>());
  EXPECT_EQ(infrared::kept_sharpness(plain, low), 1) << "nothing was added";
  EXPECT_NEAR(infrared::kept_sharpness(plain + 0.5 * lost, low), 0.49 * std::pow(0.5, -0.666), 1e-3);
  EXPECT_EQ(infrared::kept_sharpness(plain + 2 * lost, low), 0.5) << "the least that it says";
  EXPECT_EQ(infrared::kept_sharpness(at::zeros({1, 1, 16, 16}), at::zeros({1, 1, 4, 4})), 1);
}

TEST(Sharpened, WrapsAnUpscaler) {
  CounterNoise noise(0);
  infrared::Sharpened upscaler(std::make_unique<infrared::Interpolation>("pillow_lanczos", 4), 0.9);
  const at::Tensor low = waves(24, 24, 5);
  EXPECT_EQ(upscaler.scale(), 4);
  EXPECT_FALSE(upscaler.draws_noise());
  EXPECT_TRUE(upscaler.adds_detail());
  const at::Tensor plain = infrared::Interpolation("pillow_lanczos", 4).run(low, {noise, "f"});
  const at::Tensor expected = infrared::sharpened(plain, 0.9 / infrared::kept_sharpness(plain, low));
  EXPECT_TRUE(at::equal(upscaler.run(low, {noise, "f"}), expected));
  EXPECT_GE(upscaler.working_bytes(24, 24), 48 * 96 * 96);
}

}  // namespace
}  // namespace reseda::tests
