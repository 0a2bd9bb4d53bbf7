// Blur kernels, their boundaries, and the forms of the convolution against sums worked out pixel by pixel.
#include "modules/inverse/operators/blur.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/inverse/operators/circular_filter.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::inverse {
namespace {

using diffusion::component;
using tests::expect_error;

at::Tensor row(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }
double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }
at::Tensor kernel_of(const std::string& kernel, std::int64_t size) {
  PointSpreadConfig config;
  config.kernel = kernel;
  config.size = size;
  config.length = static_cast<double>(size - 1);
  config.across = 0.7;
  return point_spread(config);
}

/// sum k[a,b] x[i - a, j - b] with nested loops.
at::Tensor convolved(const at::Tensor& x, const at::Tensor& kernel, Boundary boundary) {
  const std::int64_t h = x.size(2), w = x.size(3), up = kernel.size(0) / 2, left = kernel.size(1) / 2;
  const at::Tensor y = at::zeros_like(x);
  for (std::int64_t i = 0; i < h; ++i) {
    for (std::int64_t j = 0; j < w; ++j) {
      for (std::int64_t a = -up; a <= up; ++a) {
        for (std::int64_t b = -left; b <= left; ++b) {
          const std::int64_t p = inside_index(i - a, h, boundary), q = inside_index(j - b, w, boundary);
          if (p < 0 || q < 0) continue;
          y.select(2, i).select(2, j) += kernel[a + up][b + left] * x.select(2, p).select(2, q);
        }
      }
    }
  }
  return y;
}

TEST(Boundary, ContinuesTheImage) {
  const auto places = [](Boundary boundary) {
    std::vector<std::int64_t> out;
    for (std::int64_t i = -7; i < 9; ++i) out.push_back(inside_index(i, 3, boundary));
    return out;
  };
  using testing::ElementsAre;
  EXPECT_THAT(places(Boundary::kReflect), ElementsAre(0, 0, 1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1, 2));
  EXPECT_THAT(places(Boundary::kPeriodic), ElementsAre(2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2));
  EXPECT_THAT(places(Boundary::kZero), ElementsAre(-1, -1, -1, -1, -1, -1, -1, 0, 1, 2, -1, -1, -1, -1, -1, -1));
}

TEST(PointSpread, Kernels) {
  for (const char* kernel : {"uniform", "gaussian", "anisotropic", "motion"})
    EXPECT_NEAR(kernel_of(kernel, 7).sum().item<double>(), 1.0, 1e-12) << kernel;
  const at::Tensor gaussian = point_spread({.kernel = "gaussian", .size = 3, .sigma = 1.0});
  EXPECT_NEAR((gaussian[0][1] / gaussian[1][1]).item<double>(), std::exp(-0.5), 1e-12);
  EXPECT_NEAR((gaussian[0][0] / gaussian[1][1]).item<double>(), std::exp(-1.0), 1e-12);
  // Wide along the horizontal, narrow across.
  const at::Tensor wide = point_spread({.kernel = "anisotropic", .size = 3, .sigma = 2.0, .across = 0.5, .angle = 0.0});
  EXPECT_NEAR((wide[1][0] / wide[1][1]).item<double>(), std::exp(-0.125), 1e-12);
  EXPECT_NEAR((wide[0][1] / wide[1][1]).item<double>(), std::exp(-2.0), 1e-12);
  // A quarter turn swaps the axes; 45 degrees point to the bottom right.
  const at::Tensor tall =
      point_spread({.kernel = "anisotropic", .size = 3, .sigma = 2.0, .across = 0.5, .angle = 90.0});
  EXPECT_LE(largest(tall - wide.t()), 1e-12);
  const at::Tensor streak = point_spread({.kernel = "motion", .size = 5, .length = 4.0, .angle = 45.0});
  EXPECT_GT(streak[3][3].item<double>(), 0.1);
  EXPECT_EQ(streak[3][1].item<double>(), 0.0);
  const at::Tensor line = point_spread({.kernel = "motion", .size = 5, .length = 2.0, .angle = 0.0});
  EXPECT_LE(largest(line[2] - row({0, 0.25, 0.5, 0.25, 0})), 0.02);
  const at::Tensor still = point_spread({.kernel = "motion", .size = 3, .length = 0.0});
  EXPECT_EQ(still[1][1].item<double>(), 1.0);
}

TEST(PointSpread, Refuses) {
  const auto refuse = [](const std::string& key, const PointSpreadConfig& config) {
    expect_error(Errc::kUsage, "operator.point_spread." + key, [&] { point_spread(config); });
  };
  refuse("kernel", {.kernel = "disk"});
  for (const std::int64_t size : {0, 4, -3, 2049}) refuse("size", {.size = size});
  refuse("sigma", {.sigma = 0});
  refuse("sigma", {.sigma = NAN});
  refuse("length", {.kernel = "motion", .size = 5, .length = 4.5});
  refuse("angle", {.angle = INFINITY});
}

TEST(Blur, EveryFormConvolves) {
  at::manual_seed(3);
  const at::Tensor x = at::randn({2, 1, 9, 6}, at::kDouble);
  at::Tensor uneven = at::rand({3, 5}, at::kDouble);
  for (const Boundary boundary : {Boundary::kZero, Boundary::kReflect, Boundary::kPeriodic}) {
    for (const at::Tensor& kernel : {uneven, kernel_of("uniform", 5), kernel_of("motion", 7), kernel_of("motion", 19),
                                     at::outer(row({1, -2, 0.5}), row({0, 3, 1}))}) {
      const auto op = make_blur(ImageShape({1, 9, 6}), kernel, boundary, 0.0);
      const at::Tensor expected = convolved(x, kernel, boundary);
      EXPECT_LE(largest(op->apply(x) - expected), 1e-5 * largest(expected))
          << static_cast<int>(boundary) << " " << kernel.sizes();
    }
  }
}

TEST(Blur, FftwAgreesWithTheOtherTransform) {
  at::manual_seed(4);
  const at::Tensor x = at::randn({2, 3, 30, 21});
  for (const Boundary boundary : {Boundary::kReflect, Boundary::kPeriodic}) {
    const auto op = make_blur(ImageShape({3, 30, 21}), kernel_of("motion", 9), boundary, 0.0);
    const at::Tensor recorded = op->apply(x.clone().requires_grad_(true)).detach();
    EXPECT_LE(largest(op->apply(x) - recorded), 1e-6);
    EXPECT_LE(largest(op->apply(x.transpose(2, 3).contiguous().transpose(2, 3)) - recorded), 1e-6);
    EXPECT_LE(largest(op->apply(x.to(at::kDouble)) - recorded), 1e-6);
  }
}

TEST(Blur, SmallSingularValuesAreDropped) {
  const at::Tensor kernel = point_spread({.kernel = "gaussian", .size = 9, .sigma = 2.0});
  at::manual_seed(5);
  const at::Tensor x = at::rand({1, 1, 24, 24}, at::kDouble) - 0.5, exact = convolved(x, kernel, Boundary::kReflect);
  const auto cut = make_blur(ImageShape({1, 24, 24}), kernel, Boundary::kReflect, 0.03);
  const at::Tensor y = cut->apply(x);
  EXPECT_GT((y - exact).norm().item<double>(), 1e-4);
  EXPECT_LT((y - exact).norm().item<double>(), 0.03 * x.norm().item<double>());
  // H^+ amplifies noise by 1 / 0.03^2 at most.
  EXPECT_LE(cut->pseudo_inverse(y).norm().item<double>(), y.norm().item<double>() / (0.03 * 0.03));
}

TEST(Blur, RefusesKernels) {
  const ImageShape shape({1, 8, 8});
  const auto refuse = [&](const std::string& text, const at::Tensor& kernel, double cut = 0.0) {
    for (const Boundary boundary : {Boundary::kZero, Boundary::kPeriodic})
      expect_error(Errc::kUsage, text, [&] { make_blur(shape, kernel, boundary, cut); });
  };
  refuse("odd sides", at::ones({4, 3}));
  refuse("odd sides", at::ones({3}));
  refuse("odd sides", at::ones({0, 3}));
  refuse("not all 0", at::zeros({3, 3}));
  refuse("finite", at::full({3, 3}, NAN));
  refuse("operator.singular_cut", at::full({3, 3}, 1e-3), 0.5);
  expect_error(Errc::kUsage, "operator.boundary", [] {
    make_operator(component("blur", {{"boundary", "mirror"}}), {1, 8, 8});
  });
  expect_error(Errc::kUsage, "square", [] { make_operator(component("blur", {{"compat", "reddiff"}}), {1, 8, 10}); });
  expect_error(Errc::kUsage, "operator.compat", [] {
    make_operator(component("blur", {{"compat", "ddrm"}}), {1, 8, 8});
  });
  expect_error(Errc::kUsage, "uniform and gaussian", [] {
    make_operator(component("blur", {{"compat", "reddiff"}, {"point_spread.kernel", "motion"}}), {1, 8, 8});
  });
}

TEST(ReddiffBlur, LeavesOutTheLastTap) {
  const at::Tensor matrix = reddiff_blur_matrix(row({1, 2, 3}), 4);
  EXPECT_TRUE(matrix.equal(row({2, 0, 0, 0, 1, 2, 0, 0, 0, 1, 2, 0, 0, 0, 1, 2}).reshape({4, 4})));
  EXPECT_NEAR(reddiff_blur_matrix(kernel_of("uniform", 9).sum(0), 20)[10].sum().item<double>(), 8.0 / 9, 1e-12);
}

TEST(TransferFunction, OfAShift) {
  at::Tensor kernel = at::zeros({3, 3}, at::kDouble);
  kernel[1][2] = 1;  // moves the image to the right by one pixel
  const at::Tensor transfer = transfer_function(kernel, 4, 8);
  const at::Tensor angles = at::arange(8, at::kDouble) * (-M_PI / 4);
  EXPECT_LE(largest(transfer - at::polar(at::ones({4, 8}, at::kDouble), angles.expand({4, 8}).contiguous())), 1e-12);
}

}  // namespace
}  // namespace reseda::inverse
