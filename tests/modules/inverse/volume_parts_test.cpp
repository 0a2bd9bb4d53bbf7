// Conjugate gradients, finite differences, shrinking and thick slices against values worked out by hand.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/inverse/conjugate_gradient.hpp"
#include "modules/inverse/finite_differences.hpp"
#include "modules/inverse/landweber.hpp"
#include "modules/inverse/operators/hdr.hpp"
#include "modules/inverse/operators/identity.hpp"
#include "modules/inverse/operators/slice_average.hpp"
#include "tests/modules/inverse/tensor_checks.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::inverse {
namespace {

using tests::expect_error;

/// x -> N x for each row of a batch.
LinearMap by(const at::Tensor& n) {
  return [n](const at::Tensor& x) { return at::matmul(x, n.t()); };
}

TEST(ConjugateGradient, SolvesInAsManyStepsAsUnknowns) {
  const at::Tensor n = row({2, 1, 1, 3}).reshape({2, 2}), b = row({1, 2}).reshape({1, 2});
  const CgResult one = conjugate_gradient(by(n), b, {}, {.iterations = 1, .tolerance = 0});
  expect_close(one.x, b * 5 / 18);  // the steepest descent: b^2 / (b N b)
  EXPECT_NEAR(one.residual.item<double>(), (b - at::matmul(one.x, n.t())).norm().item<double>(), 1e-12);
  const CgResult two = conjugate_gradient(by(n), b, {}, {.iterations = 9, .tolerance = 1e-10});
  expect_close(two.x, row({0.2, 0.6}).reshape({1, 2}));
  EXPECT_EQ(two.iterations, 2);
  expect_close(conjugate_gradient(by(n), b, two.x, {.iterations = 9, .tolerance = 1e-10}).x, two.x);
}

TEST(ConjugateGradient, SolvesHermitianSystems) {
  const c10::complex<double> i(0, 1);
  at::Tensor n = at::eye(2, at::kComplexDouble) * 2, b = at::zeros({1, 2}, at::kComplexDouble);
  n[0][1] = i;
  n[1][0] = -i;
  b[0][0] = 1;
  const at::Tensor x = conjugate_gradient(by(n), b, {}, {.iterations = 5, .tolerance = 1e-12}).x;
  expect_close(at::real(x), row({2.0 / 3, 0}).reshape({1, 2}));
  expect_close(at::imag(x), row({0, 1.0 / 3}).reshape({1, 2}));
}

TEST(ConjugateGradient, ItemsAreSystemsOfTheirOwn) {
  at::manual_seed(1);
  const at::Tensor root = at::randn({6, 6}, at::kDouble), n = at::matmul(root, root.t()) + at::eye(6, at::kDouble);
  at::Tensor b = at::randn({4, 6}, at::kDouble);
  b[2].zero_();
  b[3].mul_(1e6);
  const CgSettings settings{.iterations = 4, .tolerance = 1e-3};
  const at::Tensor all = conjugate_gradient(by(n), b, {}, settings).x;
  for (std::int64_t i = 0; i < 4; ++i)
    expect_close(conjugate_gradient(by(n), b.slice(0, i, i + 1), {}, settings).x, all.slice(0, i, i + 1), 1e-8);
  expect_close(all[2], at::zeros({6}, at::kDouble));
}

TEST(ConjugateGradient, SingularSystemsGetTheSolutionOfLeastNorm) {
  const at::Tensor n = at::ones({2, 2}, at::kDouble), b = row({4, 4}).reshape({1, 2});
  expect_close(conjugate_gradient(by(n), b, {}, {.iterations = 9, .tolerance = 1e-12}).x, b / 2);
}

TEST(LeastSquares, IsTheProximalMapOfTheDataTerm) {
  const Identity op({.image = {1, 1, 2}});
  const at::Tensor y = row({1, 5}).reshape({1, 1, 1, 2}), anchor = row({3, -1}).reshape({1, 1, 1, 2});
  expect_close(least_squares(op, y, 3.0, anchor, {}).x, (y + 3 * anchor) / 4);
  expect_close(least_squares(op, y, 0.0, {}, {}).x, y);
  expect_error(Errc::kUsage, ">= 0", [&] { least_squares(op, y, -1.0, anchor, {}); });
  expect_error(Errc::kUsage, "linear", [&] { least_squares(Hdr({.image = {1, 1, 2}}), y, 1.0, anchor, {}); });
  expect_error(Errc::kUsage, "iterations", [&] { least_squares(op, y, 1.0, anchor, {.iterations = 0}); });
}

TEST(Landweber, GoesAShareOfTheWay) {
  const Identity op({.image = {1, 1, 2}});
  const at::Tensor x = row({1, 5}).reshape({1, 1, 1, 2}), y = row({3, 1}).reshape({1, 1, 1, 2});
  expect_close(landweber_step(op, x, y, 0.25), row({1.5, 4}).reshape({1, 1, 1, 2}));
  expect_close(normalised_step(op, x, y), y);
  // Thick slices of two: H^* H 1 = 1/2, so that the step undoes the factor.
  const SliceAverage average({.image = {2, 1, 1}, .factor = 2});
  const at::Tensor volume = row({1, 5}).reshape({1, 2, 1, 1}), thick = row({7}).reshape({1, 1, 1, 1});
  expect_close(normalised_step(average, volume, thick), row({5, 9}).reshape({1, 2, 1, 1}));
}

TEST(FiniteDifferences, EndOpenOrWrapped) {
  const at::Tensor x = row({1, 4, 9}), v = row({1, 2, 3});
  expect_close(difference(x, 0, Boundary::kWrap), row({3, 5, -8}));
  expect_close(difference(x, 0, Boundary::kOpen), row({3, 5, 0}));
  expect_close(difference_adjoint(v, 0, Boundary::kWrap), row({2, -1, -1}));
  expect_close(difference_adjoint(v, 0, Boundary::kOpen), row({-1, -1, 2}));
}

TEST(FiniteDifferences, HaveTheirAdjointOnEveryAxis) {
  at::manual_seed(2);
  const at::Tensor x = at::randn({4, 1, 5, 6}, at::kDouble), v = at::randn_like(x);
  for (const Boundary boundary : {Boundary::kOpen, Boundary::kWrap})
    for (const std::int64_t axis : {0, 1, 2, 3})
      EXPECT_NEAR(inner_product(difference(x, axis, boundary), v),
                  inner_product(x, difference_adjoint(v, axis, boundary)), 1e-12);
}

TEST(Shrink, MovesTowardsZero) {
  expect_close(shrink(row({-3, -0.5, 0, 0.5, 2}), 1), row({-2, 0, 0, 0, 1}));
  const auto joint = shrink_jointly({row({3, 0, 0.3}), row({4, 0, 0.4})}, 1);
  expect_close(joint[0], row({2.4, 0, 0}));
  expect_close(joint[1], row({3.2, 0, 0}));
  // With one component both are the same.
  expect_close(shrink_jointly({row({-3, 0.5})}, 1)[0], shrink(row({-3, 0.5}), 1));
}

at::Tensor profile(const SliceAverageConfig& config) { return SliceAverage(config).weights(); }

TEST(SliceAverage, WeighsByTheProfile) {
  expect_close(profile({.image = {4, 1, 1}, .factor = 2}), row({.5, .5, 0, 0, 0, 0, .5, .5}).reshape({2, 4}));
  expect_close(profile({.image = {4, 1, 1}, .factor = 2, .thickness = 0.5}),
               row({.5, .5, 0, 0, 0, 0, .5, .5}).reshape({2, 4}));
  // Three thin slices wide: half of the outer ones, and nothing beyond the ends.
  expect_close(profile({.image = {4, 1, 1}, .factor = 2, .thickness = 1.5}),
               row({.4, .4, .2, 0, 0, .2, .4, .4}).reshape({2, 4}));
  const double near = std::exp2(-0.25), far = std::exp2(-2.25), sum = 2 * near + far;
  const at::Tensor gaussian = profile({.image = {3, 1, 1}, .factor = 2, .profile = "gaussian"});
  expect_close(gaussian[0], row({near / sum, near / sum, far / sum}));
  expect_close(profile({.image = {3, 1, 1}, .factor = 3}), at::full({1, 3}, 1.0 / 3, at::kDouble));
  EXPECT_EQ(profile({.image = {7, 1, 1}, .factor = 3}).size(0), 3);
}

TEST(SliceAverage, AveragesSlices) {
  const SliceAverage op({.image = {4, 1, 2}, .factor = 2});
  const at::Tensor x = at::arange(8, at::kDouble).reshape({1, 4, 1, 2});
  expect_close(op.apply(x), row({1, 2, 5, 6}).reshape({1, 2, 1, 2}));
  const at::Tensor y = row({1, 2, 5, 6}).reshape({1, 2, 1, 2});
  expect_close(op.adjoint(y), row({.5, 1, .5, 1, 2.5, 3, 2.5, 3}).reshape({1, 4, 1, 2}));
  expect_close(op.pseudo_inverse(y), row({1, 2, 1, 2, 5, 6, 5, 6}).reshape({1, 4, 1, 2}));
  expect_close(op.spectral()->singulars(), at::full({4}, std::sqrt(0.5), at::kDouble));
  expect_error(Errc::kUsage, "operator.factor", [] { SliceAverage({.image = {4, 1, 1}, .factor = 0}); });
  expect_error(Errc::kUsage, "operator.profile", [] { SliceAverage({.image = {4, 1, 1}, .profile = "cone"}); });
  expect_error(Errc::kUsage, "operator.thickness", [] { SliceAverage({.image = {4, 1, 1}, .thickness = 0}); });
}

}  // namespace
}  // namespace reseda::inverse
