// Strong views of images, as rRCM's pre-training contrasts them.
#include "pipelines/certify/rrcm_views.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

namespace reseda::certify {
namespace {

at::Tensor colour(float red, float green, float blue) { return at::tensor({red, green, blue}).view({3, 1, 1}); }

double distance(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

at::Tensor picture(std::int64_t channels) {
  return (at::arange(channels * 64).view({channels, 8, 8}) * 7).remainder(100).to(at::kFloat).div(99);
}

TEST(RrcmViews, HueTurnsRedToGreenToBlue) {
  const at::Tensor red = colour(1, 0, 0);
  EXPECT_LT(distance(hue_turned(red, 1.0 / 3), colour(0, 1, 0)), 1e-6);
  EXPECT_LT(distance(hue_turned(red, -1.0 / 3), colour(0, 0, 1)), 1e-6);
  EXPECT_LT(distance(hue_turned(red, 0), red), 1e-6);
  EXPECT_LT(distance(hue_turned(red, 0.5), colour(-1.0F / 3, 2.0F / 3, 2.0F / 3)), 1e-6);
  const at::Tensor grey = colour(0.4F, 0.4F, 0.4F);
  EXPECT_LT(distance(hue_turned(grey, 0.1), grey), 1e-6);
}

TEST(RrcmViews, BlurIsAGaussian) {
  at::Tensor dot = at::zeros({2, 21, 21});
  dot[1][10][9] = 1;
  const at::Tensor seen = blurred(dot, 1.0);
  EXPECT_EQ(seen[0].abs().max().item<float>(), 0);
  EXPECT_NEAR(seen.sum().item<double>(), 1, 1e-5);
  const float peak = seen[1][10][9].item<float>();
  EXPECT_NEAR(seen[1][10][10].item<float>() / peak, std::exp(-0.5), 1e-4);
  EXPECT_NEAR(seen[1][12][8].item<float>() / peak, std::exp(-2.5), 1e-4);
  EXPECT_EQ(seen[1][10][13].item<float>(), 0) << "beyond three standard deviations";
  EXPECT_LT(distance(blurred(at::full({1, 3, 3}, 0.7), 2.0), at::full({1, 3, 3}, 0.7)), 1e-6) << "edges repeat";
}

TEST(RrcmViews, SolarizeTurnsTheBrightHalfOver) {
  const at::Tensor image = at::tensor({0.0F, 0.25F, 0.5F, 0.75F, 1.0F});
  EXPECT_TRUE(at::equal(solarized(image), at::tensor({0.0F, 0.25F, 0.5F, 0.25F, 0.0F})));
}

TEST(RrcmViews, CropsStayInsideAndKeepTheSize) {
  const at::Tensor ramp = at::linspace(0.25, 0.75, 32).expand({3, 32, 32}).contiguous();
  double narrowest = 1, widest = 0;
  for (std::uint32_t step = 0; step < 100; ++step) {
    Chooser choose(1, "test", "crop", step);
    const at::Tensor seen = resized_crop(ramp, choose);
    ASSERT_EQ(seen.sizes(), ramp.sizes());
    const double least = seen.min().item<double>(), most = seen.max().item<double>();
    EXPECT_GE(least, 0.25 - 1e-6);
    EXPECT_LE(most, 0.75 + 1e-6);
    narrowest = std::min(narrowest, most - least);
    widest = std::max(widest, most - least);
  }
  EXPECT_LT(narrowest, 0.2);  // of 0.5; the least is about sqrt(0.08 x 3 / 4) of it
  EXPECT_GT(narrowest, 0.08);
  EXPECT_GT(widest, 0.45);
}

TEST(RrcmViews, AreDrawnByTheirChances) {
  const at::Tensor image = picture(3);
  int grey = 0, bright = 0;
  for (std::uint32_t step = 0; step < 400; ++step) {
    Chooser choose(2, "test", "view", step);
    const at::Tensor seen = strong_view(image, kSecondView, true, choose);
    ASSERT_EQ(seen.sizes(), image.sizes());
    ASSERT_TRUE((seen >= 0).logical_and(seen <= 1).all().item<bool>());
    grey += distance(seen[0], seen[1]) == 0 ? 1 : 0;
    bright += seen.max().item<double>() > 0.5 ? 1 : 0;
  }
  EXPECT_NEAR(grey, 80, 30);
  EXPECT_NEAR(bright, 320, 50) << "a solarized view is dark";
}

TEST(RrcmViews, DependOnTheirDrawAlone) {
  const auto view = [](std::uint32_t step) {
    Chooser choose(3, "test", "view", step);
    return strong_view(picture(3), kFirstView, true, choose);
  };
  EXPECT_TRUE(at::equal(view(0), view(0)));
  EXPECT_FALSE(at::equal(view(0), view(1)));
}

TEST(RrcmViews, TakeImagesWithoutColours) {
  for (const std::int64_t channels : {1, 2}) {
    Chooser choose(4, "test", "view", 0);
    EXPECT_EQ(strong_view(picture(channels), kFirstView, false, choose).sizes(), picture(channels).sizes());
  }
}

}  // namespace
}  // namespace reseda::certify
