// Tomography: rays and their sums against values worked out by hand, discs whose integrals are known, and what official
// code does differently.
#include "modules/inverse/operators/radon.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <numbers>

#include "modules/inverse/operators/back_projection.hpp"
#include "modules/inverse/operators/ray_sums.hpp"
#include "tests/modules/inverse/tensor_checks.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::inverse {
namespace {

using tests::expect_error;

RadonConfig radon(std::vector<std::int64_t> image, const std::string& beam = "parallel") {
  RadonConfig config;
  config.image = std::move(image);
  config.rays.beam = beam;
  return config;
}

RadonConfig two_views() {
  RadonConfig config = radon({1, 2, 2});
  config.rays.angles = {0, 90};
  return config;
}

const at::Tensor kSquare = row({1, 2, 3, 4}).reshape({1, 1, 2, 2});

/// 1 inside a disc of the radius around (x, y) from the middle of a square image.
at::Tensor disc(std::int64_t side, double radius, double x, double y) {
  const at::Tensor axis = at::arange(side, at::kDouble) - static_cast<double>(side - 1) / 2;
  const at::Tensor square = (axis - x).square().unsqueeze(0) + (axis - y).square().unsqueeze(1);
  return (square < radius * radius).to(at::kDouble).reshape({1, 1, side, side});
}

TEST(Radon, SumsAlongRowsAndColumns) {
  // Three elements half a pixel off the two columns: each sees half of its neighbours. At 90 degrees the first element
  // sees the lowest row.
  const Radon op(two_views());
  expect_close(op.apply(kSquare), row({2, 3.5, 5, 5, 3, 1.5}).reshape({1, 1, 3, 2}), 1e-12);
}

TEST(Radon, TakesLengthsInMillimetres) {
  RadonConfig config = two_views();
  config.rays.pixel = 0.25;
  expect_close(Radon(config).apply(kSquare), Radon(two_views()).apply(kSquare) / 4);
}

TEST(Radon, OfficialCentreLiesBesideTheMiddle) {
  // Official code pads two pixels to three and turns about the third's middle: the elements are the columns themselves.
  RadonConfig config = two_views();
  config.rays.centre = "official";
  expect_close(Radon(config).apply(kSquare).select(3, 0), row({4, 6, 0}).reshape({1, 1, 3}));
}

TEST(Radon, DiscsHaveTheirChords) {
  for (const char* beam : {"parallel", "fan_flat", "fan_arc"}) {
    RadonConfig config = radon({1, 96, 96}, beam);
    config.rays.angles = {0, 25, 77};
    const RayGeometry rays(config.rays, ImageShape(config.image));
    const at::Tensor sinogram = Radon(config).apply(disc(96, 30, 7, -5))[0][0];
    // The distance of a ray from the disc's centre, from its nearest point and direction.
    const at::Tensor line = rays.lines(), x = 47.5 + 7 - line.select(2, 0), y = 47.5 - 5 - line.select(2, 1);
    const at::Tensor distance = (x * line.select(2, 3) - y * line.select(2, 2)).t();
    const at::Tensor chord = 2 * (900 - distance.square()).clamp_min(0).sqrt();
    EXPECT_LE((sinogram - chord).abs().mean().item<double>(), 0.35) << beam;
    EXPECT_NEAR(sinogram.max().item<double>(), 60, 1) << beam;
  }
}

TEST(Radon, FilteredBackProjectionRestoresADisc) {
  for (const char* beam : {"parallel", "fan_flat", "fan_arc"}) {
    for (const char* filter : {"ramp", "shepp_logan", "cosine", "hamming", "hann"}) {
      RadonConfig config = radon({1, 64, 64}, beam);
      config.rays.views = 120;
      config.filter = filter;
      const Radon op(config);
      const at::Tensor restored = op.pseudo_inverse(op.apply(2 * disc(64, 18, 6, -4)));
      const at::Tensor inside = disc(64, 14, 6, -4).to(at::kBool), outside = disc(64, 22, 6, -4).logical_not();
      EXPECT_NEAR(restored.masked_select(inside).mean().item<double>(), 2, 0.02) << beam << " " << filter;
      const at::Tensor near = outside.logical_and(disc(64, 30, 0, 0).to(at::kBool));
      EXPECT_NEAR(restored.masked_select(near).mean().item<double>(), 0, 0.02) << beam << " " << filter;
    }
  }
}

TEST(Radon, PixelsCancelInFilteredBackProjection) {
  RadonConfig config = radon({1, 24, 24}, "fan_flat");
  const at::Tensor x = disc(24, 6, 2, 1);
  const Radon unit(config);
  config.rays.pixel = 0.7;
  const Radon scaled(config);
  expect_close(scaled.pseudo_inverse(scaled.apply(x)), unit.pseudo_inverse(unit.apply(x)), 1e-10);
}

TEST(Radon, FansSeePixelsUnderTheirAngles) {
  // The source stands 10 above the axis, the pixel 3 to the right of it and 2 towards the source: u = 10 * 3 / 8 on the
  // axis, gamma = atan(3 / 8) = 20.556 degrees.
  at::Tensor x = at::zeros({1, 1, 9, 9}, at::kDouble);
  x[0][0][2][7] = 1;
  RadonConfig config = radon({1, 9, 9}, "fan_flat");
  config.rays.angles = {0};
  config.rays.source_distance = config.rays.detector_distance = 10;
  config.rays.detectors = 25;
  config.rays.detector_spacing = 2;  // 1 on the axis
  const ImageShape shape(config.image);
  EXPECT_NEAR(RayGeometry(config.rays, shape).shadow(0).element[2][7].item<double>(), 12 + 3.75, 1e-12);
  EXPECT_NEAR(RayGeometry(config.rays, shape).shadow(0).weight[2][7].item<double>(), 100.0 / 64, 1e-12);
  EXPECT_EQ(Radon(config).apply(x).flatten().argmax().item<std::int64_t>(), 16);

  config.rays.beam = "fan_arc";
  config.rays.detector_spacing = 2.5;
  EXPECT_NEAR(RayGeometry(config.rays, shape).shadow(0).element[2][7].item<double>(), 12 + 8.2224, 1e-4);
  EXPECT_NEAR(RayGeometry(config.rays, shape).shadow(0).weight[2][7].item<double>(), 100.0 / 73, 1e-12);
  EXPECT_EQ(Radon(config).apply(x).flatten().argmax().item<std::int64_t>(), 20);
}

TEST(Radon, AdjointIsTheTransposeElementByElement) {
  for (const char* beam : {"parallel", "fan_flat", "fan_arc"}) {
    RadonConfig config = radon({1, 3, 4}, beam);
    config.rays.views = 3;
    const Radon op(config);
    const at::Tensor columns = op.apply(at::eye(12, at::kDouble).reshape({12, 1, 3, 4})).flatten(1);
    const std::int64_t rows = columns.size(1);
    const at::Tensor y = at::eye(rows, at::kDouble).reshape({rows, 1, -1, 3});
    expect_close(op.adjoint(y).flatten(1).t(), columns, 1e-13);
  }
}

TEST(Radon, GradientsAreTheAdjoint) {
  RadonConfig config = radon({2, 7, 6}, "fan_flat");
  config.rays.views = 4;
  config.adjoint = "exact";
  const Radon op(config);
  at::manual_seed(1);
  const at::Tensor x = at::randn({2, 2, 7, 6}, at::kDouble).requires_grad_(true);
  const at::Tensor y = op.apply(x), v = at::randn_like(y);
  expect_close(torch::autograd::grad({(y * v).sum()}, {x})[0], op.adjoint(v), 1e-12);
}

TEST(Radon, LoopsEqualTheSampler) {
  RadonConfig config = radon({1, 19, 24}, "fan_arc");
  const RayGeometry rays(config.rays, ImageShape(config.image));
  at::manual_seed(2);
  const at::Tensor images = at::randn({11, 19, 24}, at::kDouble);
  const at::Tensor sums = ray_sums(rays, images), values = at::randn_like(sums);
  expect_close(sums, sampled_ray_sums(rays, images), 1e-11);
  expect_close(ray_sums_transpose(rays, values), sampled_ray_sums_transpose(rays, values), 1e-11);
  // Images walked together give what each gives alone, and threads change nothing.
  EXPECT_TRUE(at::equal(ray_sums(rays, images.slice(0, 3, 4)), sums.slice(0, 3, 4)));
  const int threads = at::get_num_threads();
  at::set_num_threads(3);
  EXPECT_TRUE(at::equal(ray_sums(rays, images), sums));
  const at::Tensor spread = ray_sums_transpose(rays, values);
  at::set_num_threads(1);
  EXPECT_TRUE(at::equal(ray_sums_transpose(rays, values), spread));
  at::set_num_threads(threads);
}

TEST(Radon, FiltersAreTheirKernels) {
  RadonConfig config = radon({1, 8, 8});
  config.rays.angles = {0};
  config.rays.detectors = 9;
  const RayGeometry rays(config.rays, ImageShape(config.image));
  at::Tensor impulse = at::zeros({1, 1, 9, 1}, at::kDouble);
  impulse[0][0][4][0] = 1;
  const double side = -1 / (std::numbers::pi * std::numbers::pi);
  const at::Tensor ramp = row({0, side / 9, 0, side, 0.25, side, 0, side / 9, 0}).reshape({1, 1, 9, 1});
  expect_close(filtered(rays, impulse, "ramp"), ramp, 1e-12);
  const at::Tensor hann = filtered(rays, impulse, "hann"), hamming = filtered(rays, impulse, "hamming");
  EXPECT_NEAR(hann[0][0][4][0].item<double>(), 0.125 + 0.5 * side, 1e-12);
  EXPECT_NEAR(hamming[0][0][4][0].item<double>(), 0.54 * 0.25 + 0.46 * side, 1e-12);
  // The filter of Shepp and Logan is 2 / (pi^2 (1 - 4 n^2)) on an endless detector.
  const at::Tensor shepp_logan = filtered(rays, impulse, "shepp_logan");
  EXPECT_NEAR(shepp_logan[0][0][4][0].item<double>(), -2 * side, 1e-4);
  EXPECT_NEAR(shepp_logan[0][0][5][0].item<double>(), 2 * side / 3, 1e-4);
}

TEST(Radon, LimitedAnglesWeighWhatTheyCover) {
  RayConfig config;
  config.views = 10;
  const ImageShape shape(std::vector<std::int64_t>{1, 8, 8});
  const double step = std::numbers::pi / 180;
  EXPECT_NEAR(RayGeometry(config, shape).view_weight(), 18 * step, 1e-12);
  config.angle_range = 90;
  EXPECT_NEAR(RayGeometry(config, shape).view_weight(), 9 * step, 1e-12);
  config.angle_range = 360;
  EXPECT_NEAR(RayGeometry(config, shape).view_weight(), 18 * step, 1e-12);
  config.angles = {10, 20, 30};
  EXPECT_NEAR(RayGeometry(config, shape).view_weight(), 10 * step, 1e-12);
  config.angles = {};
  config.angle_range = 0;
  config.beam = "fan_flat";
  EXPECT_NEAR(RayGeometry(config, shape).view_weight(), 18 * step, 1e-12);
}

TEST(Radon, OfficialAdjointIsUnfilteredBackProjection) {
  // A constant sinogram of 1 back-projects to pi / 2 where every view sees the pixel.
  RadonConfig config = radon({1, 6, 6});
  config.adjoint = "official";
  const Radon op(config);
  const at::Tensor y = at::ones_like(op.apply(at::zeros({1, 1, 6, 6}, at::kDouble)));
  expect_close(op.adjoint(y), at::full({1, 1, 6, 6}, std::numbers::pi / 2, at::kDouble));
  config.adjoint = "exact";
  expect_close(op.vjp({}, y), Radon(config).adjoint(y));
}

TEST(Radon, CircleLeavesTheCornersOut) {
  RadonConfig config = radon({1, 5, 5});
  config.rays.circle = true;
  const Radon op(config);
  const at::Tensor y = op.apply(at::ones({1, 1, 5, 5}, at::kDouble));
  EXPECT_EQ(y.size(2), 5);
  const at::Tensor restored = op.pseudo_inverse(y)[0][0];
  EXPECT_EQ(restored[0][0].item<double>(), 0.0);
  EXPECT_GT(restored[0][2].item<double>(), 0.0);
}

TEST(Radon, SaysWhatItRefuses) {
  const auto refused = [](const std::string& text, const auto& change) {
    RadonConfig config = radon({1, 6, 8});
    change(config);
    expect_error(Errc::kUsage, text, [&] { Radon{config}; });
  };
  refused("operator.beam", [](RadonConfig& c) { c.rays.beam = "cone"; });
  refused("operator.filter", [](RadonConfig& c) { c.filter = "box"; });
  refused("operator.views", [](RadonConfig& c) { c.rays.views = 0; });
  refused("operator.pixel", [](RadonConfig& c) { c.rays.pixel = 0; });
  refused("operator.circle", [](RadonConfig& c) { c.rays.circle = true; });
  refused("operator.angles", [](RadonConfig& c) { c.rays.angles = {NAN}; });
  refused("operator.source_distance", [](RadonConfig& c) {
    c.rays.beam = "fan_arc";
    c.rays.source_distance = 4;
  });
  refused("180 degrees", [](RadonConfig& c) {
    c.rays.beam = "fan_arc";
    c.rays.detector_spacing = 20;
  });
  refused("parallel", [](RadonConfig& c) {
    c.rays.beam = "fan_flat";
    c.adjoint = "official";
  });
  const Radon op(radon({1, 6, 8}));
  expect_error(Errc::kUsage, "radon", [&] { op.apply(at::zeros({1, 1, 8, 6})); });
  expect_error(Errc::kUsage, "radon", [&] { op.adjoint(at::zeros({1, 1, 6, 8})); });
}

}  // namespace
}  // namespace reseda::inverse
