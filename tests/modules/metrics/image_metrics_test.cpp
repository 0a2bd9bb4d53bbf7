#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "modules/core/error.hpp"
#include "modules/metrics/image_pair.hpp"
#include "modules/metrics/luma.hpp"
#include "modules/metrics/psnr.hpp"
#include "modules/metrics/spectral_error.hpp"
#include "modules/metrics/ssim.hpp"

namespace reseda::metrics {
namespace {

/// x = (7 i^2 + 13 j + 3 i j) mod 256 in row i, column j, and y = x + ((5 i + 3 j^2) mod 17) - 8, clipped to 8 bits:
/// the images of the recorded values.
ImagePair made_images(std::int64_t height, std::int64_t width) {
  const at::Tensor i = at::arange(height, at::kLong).unsqueeze(1), j = at::arange(width, at::kLong);
  const at::Tensor x = (7 * i * i + 13 * j + 3 * i * j).remainder(256);
  const at::Tensor y = (x + (5 * i + 3 * j * j).remainder(17) - 8).clamp(0, 255);
  return {x.to(at::kDouble), y.to(at::kDouble)};
}

template <class Call>
std::string message(Call call, Errc code) {
  try {
    call();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code);
    return e.what();
  }
  return "";
}

TEST(Psnr, HandValues) {
  // Errors 1, -1, 1, 3: MSE 3, mean error 1.
  const at::Tensor x = at::tensor({10.0, 20.0, 30.0, 40.0}).view({2, 2});
  const at::Tensor y = at::tensor({11.0, 19.0, 31.0, 43.0}).view({2, 2});
  EXPECT_NEAR(psnr(x, y, 30.0), 10 * std::log10(300.0), 1e-12);
  EXPECT_NEAR(rmse(x, y), std::sqrt(3.0), 1e-12);
  EXPECT_NEAR(mean_error(x, y), 1.0, 1e-12);
  EXPECT_NEAR(mean_error(y, x), -1.0, 1e-12);
  EXPECT_NEAR(psnr(x.to(at::kByte), y.to(at::kByte), 30.0), 10 * std::log10(300.0), 1e-12) << "no wrap-around";
}

TEST(Psnr, PoolsTheErrorOfAStack) {
  const at::Tensor x = at::zeros({2, 1, 1}), y = at::tensor({0.0, 2.0}).view({2, 1, 1});
  EXPECT_NEAR(psnr(x, y, 1.0), 10 * std::log10(1.0 / 2.0), 1e-12);
}

TEST(Psnr, EqualImagesAreFinite) {
  const at::Tensor x = at::ones({3, 3});
  EXPECT_NEAR(psnr(x, x, 255.0), 20 * std::log10(255.0) + 120.0, 1e-12);
  EXPECT_EQ(rmse(x, x), 0.0);
  EXPECT_TRUE(std::isnan(psnr(x, x * std::numeric_limits<double>::quiet_NaN(), 1.0))) << "NaN is not perfect";
}

TEST(Psnr, RecordedValues) {
  const auto [x, y] = made_images(16, 13);
  EXPECT_NEAR(psnr(x, y, 255.0), 34.60063463091822, 1e-10);
  EXPECT_NEAR(rmse(x, y), 4.7479752769753585, 1e-10);
  EXPECT_NEAR(mean_error(x, y), 0.23557692307692307, 1e-12);
}

TEST(WithoutBorder, ScoresTheMiddle) {
  const auto [x, y] = made_images(24, 28);
  const at::Tensor a = without_border(x, 4), b = without_border(y, 4);
  EXPECT_EQ(a.sizes(), at::IntArrayRef({16, 20}));
  EXPECT_NEAR(psnr(a, b, 255.0), 34.294332717311356, 1e-10);
  EXPECT_NEAR(ssim(a, b, 255.0), 0.997768374297127, 1e-10);
  EXPECT_EQ(message([&] { without_border(x, 12); }, Errc::kInput),
            "without_border: an image of [24, 28] has no border of 12 pixels");
}

// Recorded with scikit-image 0.26.0, skimage.metrics.structural_similarity on float64 images.
TEST(Ssim, RecordedValues) {
  const auto [x, y] = made_images(16, 13);
  EXPECT_NEAR(ssim(x, y, 255.0), 0.9978520990579219, 1e-10);
  EXPECT_NEAR(ssim(x, y, 255.0, ssim_uniform7()), 0.9977720609600478, 1e-10);
  EXPECT_NEAR(ssim(x, y, 255.0, {.covariance = SsimCovariance::kSample}), 0.9978520051406434, 1e-10);
  EXPECT_NEAR(ssim(x, y, 255.0, {.window = SsimWindow::kUniform, .size = 7}), 0.9977723153262277, 1e-10);
  EXPECT_NEAR(ssim(x, y, 255.0, {.size = 7, .sigma = 0.8}), 0.9977685749135214, 1e-10);
  EXPECT_NEAR(ssim(x, y, 100.0, {.k1 = 0.02, .k2 = 0.05}), 0.9978455697275077, 1e-10);
  EXPECT_NEAR(ssim(x, 255 - x, 255.0), -0.9872292716295645, 1e-10);
  const auto [u, v] = made_images(11, 24);
  EXPECT_NEAR(ssim(u, v, 255.0), 0.997999222209197, 1e-10) << "one row of windows";
  const SsimConfig small{.window = SsimWindow::kUniform, .size = 3, .covariance = SsimCovariance::kSample};
  EXPECT_NEAR(ssim(u, v, 255.0, small), 0.996835493199799, 1e-10);
}

TEST(Ssim, HandValueOfOneWindow) {
  // 3 x 3 uniform, x = -1, 0, 1 by columns and y = 2 x + 1: mx = 0, my = 1, sxx = 2/3, syy = 8/3, sxy = 4/3.
  const at::Tensor x = at::tensor({-1.0, 0.0, 1.0}).expand({3, 3});
  const SsimConfig config{.window = SsimWindow::kUniform, .size = 3, .k1 = 0.5, .k2 = 1.0};
  const double c1 = 1.0, c2 = 4.0;  // (k R)^2 with R = 2
  EXPECT_NEAR(ssim(x, 2 * x + 1, 2.0, config), c1 * (8.0 / 3 + c2) / ((1 + c1) * (10.0 / 3 + c2)), 1e-12);
}

TEST(Ssim, EqualIsOneAndLeadingDimensionsAreAveraged) {
  const auto [x, y] = made_images(16, 13);
  EXPECT_NEAR(ssim(x, x, 255.0), 1.0, 1e-12);
  const at::Tensor a = at::stack({x, x, y}).unsqueeze(0), b = at::stack({y, x, x}).unsqueeze(0);
  EXPECT_NEAR(ssim(a, b, 255.0), (1.0 + 2 * 0.9978520990579219) / 3, 1e-10) << "and it is symmetric";
  EXPECT_TRUE(std::isnan(ssim(x, x * std::numeric_limits<double>::quiet_NaN(), 255.0)));
}

TEST(Ssim, OppositeStructureMayCountAsNone) {
  const at::Tensor x = at::tensor({-1.0, 0.0, 1.0}).expand({3, 3});
  SsimConfig config{.window = SsimWindow::kUniform, .size = 3, .k1 = 0.5, .k2 = 0.5};
  EXPECT_NEAR(ssim(x, -x, 2.0, config), (-4.0 / 3 + 1) / (4.0 / 3 + 1), 1e-12);
  config.clip_contrast = true;
  EXPECT_EQ(ssim(x, -x, 2.0, config), 0.0);
  const auto [u, v] = made_images(16, 13);
  EXPECT_NEAR(ssim(u, v, 255.0, ssim_pyiqa()), 0.9978520990579219, 1e-10) << "no window runs opposite";
}

TEST(VideoLuma, HandValues) {
  const at::Tensor rgb = at::tensor({0, 255, 255, 0, 0, 255, 0, 0, 0, 255, 0, 255}, at::kInt).view({3, 1, 4});
  EXPECT_TRUE(at::allclose(video_luma(rgb, LumaRounding::kNone), at::tensor({16.0, 235.0, 81.481, 40.966}).view({1, 4}),
                           0, 1e-12));
  EXPECT_TRUE(video_luma(rgb, LumaRounding::kNearest).equal(at::tensor({16.0, 235.0, 81.0, 41.0}).view({1, 4})));
  EXPECT_EQ(message(
                [&] {
                  video_luma(at::zeros({1, 4, 4}), LumaRounding::kNone);
                },
                Errc::kInput),
            "video_luma: expected colours [.., 3, H, W], got [1, 4, 4]");
}

TEST(SpectralError, HandValues) {
  // A constant of 3 on 2 x 2 pixels has the one amplitude 12, with R = 6: ln(1 + 2).
  const at::Tensor x = at::full({2, 2}, 3.0);
  EXPECT_NEAR(spectral_error(x, at::zeros({2, 2}), 6.0), 1.0, 1e-12) << "nothing is left";
  EXPECT_NEAR(spectral_error(x, 2 * x, 6.0), std::log(5.0) / std::log(3.0) - 1, 1e-12);
  // 1 more in one pixel: amplitude 1/R more in all four.
  at::Tensor y = x.clone();
  y[0][1] += 6.0;
  EXPECT_NEAR(spectral_error(x, y, 6.0),
              std::sqrt(std::pow(std::log(4.0 / 3), 2) + 3 * std::pow(std::log(2.0), 2)) / std::log(3.0), 1e-12);
  const auto [u, v] = made_images(24, 20);
  EXPECT_EQ(spectral_error(u, u, 255.0), 0.0);
  EXPECT_NEAR(spectral_error(u, u.roll({3, 5}, {0, 1}), 255.0), 0.0, 1e-12) << "shifts are not seen";
  EXPECT_NEAR(spectral_error(4 * u, 4 * v, 4 * 255.0), spectral_error(u, v, 255.0), 1e-12) << "no unit";
}

TEST(ImageMetrics, BadInputIsNamed) {
  const at::Tensor small = at::zeros({11, 10}), x = at::zeros({11, 11});
  EXPECT_EQ(message([&] { ssim(small, small, 1.0); }, Errc::kInput),
            "ssim: an image of [11, 10] is smaller than the window of 11 x 11 pixels");
  EXPECT_EQ(message([&] { psnr(small, x, 1.0); }, Errc::kInput),
            "psnr: both images must have one shape, got [11, 10] and [11, 11]");
  EXPECT_EQ(message([&] { rmse(at::zeros({0}), at::zeros({0})); }, Errc::kInput), "rmse: the images are empty");
  EXPECT_EQ(message([&] { psnr(x, x, 0.0); }, Errc::kInput), "psnr: data range must be > 0, got 0");
  EXPECT_EQ(message([&] { ssim(x, x, std::nan("")); }, Errc::kInput), "ssim: data range must be > 0, got nan");
  EXPECT_EQ(message([&] { ssim(x, x, 1.0, {.size = 8}); }, Errc::kUsage),
            "ssim: window size must be odd and >= 3, got 8");
  EXPECT_NE(message([&] { rmse(x.to(at::kComplexFloat), x); }, Errc::kInput).find("real"), std::string::npos);
}

}  // namespace
}  // namespace reseda::metrics
