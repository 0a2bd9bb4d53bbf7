#include "modules/signal/resize.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/modules/signal/recorded_resizes.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::signal {
namespace {

using tests::expect_error;

at::Tensor made_image(std::int64_t height, std::int64_t width) {
  const at::Tensor i = at::arange(height, at::kLong).unsqueeze(1), j = at::arange(width, at::kLong);
  return (7 * i * i + 13 * j + 3 * i * j).remainder(256);
}

double largest(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

at::Tensor line(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble).view({1, static_cast<std::int64_t>(values.size())});
}

// 0 0 0 1 0 0 0 0 to 4 pixels; pixel 1 has its centre at 2.5, pixel 3 is half a pixel from there, f = 1/2.
TEST(Resize, HandValuesOfHalving) {
  const at::Tensor x = line({0, 0, 0, 1, 0, 0, 0, 0});
  EXPECT_LT(largest(resize(x, 1, 4, "pillow_box"), line({0, 0.5, 0, 0})), 1e-15);
  EXPECT_LT(largest(resize(x, 1, 4, "opencv_area"), line({0, 0.5, 0, 0})), 1e-15);
  EXPECT_LT(largest(resize(x, 1, 4, "opencv_linear"), line({0, 0.5, 0, 0})), 1e-15);
  // Triangle at half of 0.5 and 1.5 pixels: 3/4 and 1/4, over their sum of 2; of pixel 0 a tap of 1/4 is cut off.
  EXPECT_LT(largest(resize(x, 1, 4, "pillow_bilinear"), line({0, 0.375, 0.125, 0})), 1e-15);
  EXPECT_LT(largest(resize(line({1, 0, 0, 0, 0, 0, 0, 0}), 1, 4, "pillow_bilinear"), line({0.75 / 1.75, 0, 0, 0})),
            1e-15);
  // cubic(-3/4) at 1/2: 19/32; at 3/2: -3/32.
  EXPECT_LT(largest(resize(x, 1, 4, "opencv_cubic"), line({0, 0.59375, -0.09375, 0})), 1e-15) << "taps at 0.5, 1.5";
  // cubic(-1/2) at 1/2: 9/16; at 3/2: -1/16.
  EXPECT_LT(largest(resize(x, 1, 4, "matlab_bicubic_plain"), line({0, 0.5625, -0.0625, 0})), 1e-15);
  // At 1/4: 111/128, at 3/4: 29/128, at 5/4: -9/128, at 7/4: -3/128; twice their sum is 2.
  EXPECT_LT(largest(resize(x, 1, 4, "matlab_bicubic").slice(1, 1, 3), line({111. / 256, 29. / 256})), 1e-15);
  EXPECT_LT(largest(resize(x, 1, 4, "pillow_bicubic").slice(1, 1, 2), line({111. / 256 / (1 + 3. / 256)})), 1e-15)
      << "a tap of -3/256 lies beyond the edge";
}

TEST(Resize, EdgesRepeatMirrorOrAreLeftOut) {
  // First pixel of twice as many: c = -1/4. Taps -2 .. 1 at d = -7/4, -3/4, 1/4, 5/4.
  const at::Tensor x = line({1, 0, 0, 0});
  EXPECT_NEAR(resize(x, 1, 8, "matlab_bicubic")[0][0].item<double>(), (29. + 111) / 128, 1e-15);
  EXPECT_NEAR(resize(x, 1, 8, "pillow_bicubic")[0][0].item<double>(), 111. / (111 - 9), 1e-15);
  const at::Tensor y = line({0, 1, 0, 0});
  EXPECT_NEAR(resize(y, 1, 8, "matlab_bicubic")[0][0].item<double>(), (-3. - 9) / 128, 1e-15);
  EXPECT_NEAR(resize(y, 1, 8, "torch_bicubic")[0][0].item<double>(), -13.5 / 128, 1e-15);
}

TEST(Resize, EqualsPillowAndOpenCv) {
  for (const RecordedResize& recorded : recorded_resizes()) {
    const at::Tensor x =
        made_image(recorded.rows, recorded.columns).to(recorded.bytes ? at::kByte : at::kFloat).expand({2, 1, -1, -1});
    const at::Tensor y = resize(x, recorded.height, recorded.width, recorded.kernel);
    EXPECT_EQ(y.scalar_type(), x.scalar_type());
    EXPECT_EQ(y.sizes(), at::IntArrayRef({2, 1, recorded.height, recorded.width}));
    const at::Tensor expected = at::tensor(recorded.values, at::kDouble).view({recorded.height, recorded.width});
    const bool exact = std::string(recorded.kernel).starts_with("pillow");
    EXPECT_LE(largest(y[1][0], exact ? expected.to(at::kFloat) : expected), exact ? 0.0 : 1e-4)
        << recorded.kernel << (recorded.bytes ? " of bytes, " : " of floats, ") << recorded.rows << " x "
        << recorded.columns << " to " << recorded.height << " x " << recorded.width;
  }
}

TEST(Resize, EqualsTorch) {
  const at::Tensor x = made_image(11, 14).to(at::kDouble).view({1, 1, 11, 14});
  for (const auto& [height, width] : {std::pair<std::int64_t, std::int64_t>{5, 6}, {23, 31}, {4, 30}}) {
    const at::IntArrayRef size({height, width});
    const auto check = [&](const char* kernel, const at::Tensor& expected) {
      EXPECT_LT(largest(resize(x, height, width, kernel), expected), 1e-11) << kernel << " to " << height;
    };
    check("torch_bilinear", at::upsample_bilinear2d(x, {height, width}, false));
    check("torch_bicubic", at::upsample_bicubic2d(x, {height, width}, false));
    check("torch_bilinear_antialias", at::_upsample_bilinear2d_aa(x, {height, width}, false));
    check("torch_bicubic_antialias", at::_upsample_bicubic2d_aa(x, {height, width}, false));
  }
  const at::Tensor expected = at::upsample_bicubic2d(x, {2, 3}, false, 0.25, 0.25);
  EXPECT_LT(largest(resize(x, 2, 3, "torch_bicubic", 0.25), expected), 1e-11) << "the factor, not 2 / 11";
  EXPECT_GT(largest(resize(x, 2, 3, "torch_bicubic"), expected), 1.0);
}

class ResizeKernel : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, ResizeKernel, testing::ValuesIn(resize_kernels()),
                         [](const auto& of) { return of.param; });

TEST_P(ResizeKernel, KeepsConstantsAndTheSizeAndMirrors) {
  const at::Tensor x = made_image(9, 7).to(at::kDouble);
  EXPECT_TRUE(at::equal(resize(x, 9, 7, GetParam()), x));
  for (const auto& [height, width] : {std::pair<std::int64_t, std::int64_t>{4, 3}, {1, 1}, {20, 15}, {3, 15}}) {
    EXPECT_LT(largest(resize(at::ones({9, 7}, at::kDouble), height, width, GetParam()), at::ones({height, width})),
              1e-14);
    if (GetParam() == "opencv_area" && width > 7) continue;  // two taps to one side
    const at::Tensor there = resize(x.flip({0, 1}), height, width, GetParam()).flip({0, 1});
    if (GetParam() == "pillow_box") continue;  // of two equally near pixels it takes the first
    EXPECT_LT(largest(there, resize(x, height, width, GetParam())), 1e-11) << height;
  }
}

TEST_P(ResizeKernel, ExtremeSizesStayInTheImage) {
  for (const std::int64_t in : {1, 2, 3, 50})
    for (const std::int64_t out : {1, 2, 49, 90}) {
      const AxisWeights weights = axis_weights(GetParam(), {in, out, static_cast<double>(in) / out, in >= out});
      ASSERT_EQ(weights.index.size(), static_cast<std::size_t>(out * weights.taps));
      for (const std::int64_t index : weights.index) ASSERT_TRUE(index >= 0 && index < in) << in << " to " << out;
    }
}

TEST_P(ResizeKernel, IsDifferentiable) {
  const at::Tensor x = made_image(6, 5).to(at::kDouble).requires_grad_();
  resize(x, 3, 8, GetParam()).sum().backward();
  EXPECT_NEAR(x.grad().sum().item<double>(), 24, 1e-10) << "every row of weights sums to 1";
}

TEST(Resize, Refuses) {
  const at::Tensor x = at::ones({4, 4});
  expect_error(Errc::kUsage, "unknown resize kernel 'pillow_cubic'; did you mean 'pillow_bicubic'?",
               [&] { resize(x, 4, 4, "pillow_cubic"); });
  expect_error(Errc::kUsage, "height and width must be >= 1, got 0 and 4", [&] { resize(x, 0, 4, "pillow_box"); });
  expect_error(Errc::kUsage, "scale must be > 0, got -1", [&] { resize(x, 2, 2, "torch_bicubic", -1.0); });
  expect_error(Errc::kUsage, "scale 0.25 does not lead from [4, 4] to 3 x 3",
               [&] { resize(x, 3, 3, "torch_bicubic", 0.25); });
  expect_error(Errc::kInput, "opencv_cubic does not take pixels of type",
               [&] { resize(x.to(at::kByte), 2, 2, "opencv_cubic"); });
  expect_error(Errc::kInput, "expected an image", [&] { resize(at::ones({0, 4}), 2, 2, "pillow_box"); });
}

}  // namespace
}  // namespace reseda::signal
