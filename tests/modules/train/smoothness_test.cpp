#include "modules/train/smoothness.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/core/noise.hpp"
#include "modules/train/trainer.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::train {
namespace {

at::Tensor draw(const char* stream, at::IntArrayRef shape, std::uint32_t step = 0) {
  return CounterNoise(19).normal({"x", stream, step}, shape);
}

at::Tensor level(double c) { return at::scalar_tensor(c, at::kDouble); }

TEST(Smoothness, SlopeOfALinearMapInClosedForm) {
  // x_t = x + c eps, x0 = K x_t: r = c |K^T xi|, xi = c z / sqrt(n), so E r^2 = c^4 |K|_F^2 / n.
  const double c = 0.7;
  const at::Tensor k = draw("k", {3, 3}), eps = draw("eps", {4000, 3}).requires_grad_(), x = draw("x", {4000, 3});
  const at::Tensor x0 = at::matmul(x + c * eps, k.t()), probe = draw("probe", {4000, 3});
  const at::Tensor r = Smoothness::slopes(x0, eps, probe, level(c));
  EXPECT_EQ(r.sizes(), at::IntArrayRef{4000});
  EXPECT_NEAR(r[5].item<double>(), (c * c * at::matmul(probe[5], k) / std::sqrt(3.0)).norm().item<double>(), 1e-5);
  const double expected = std::pow(c, 4.0) * k.square().sum().item<double>() / 3;
  EXPECT_NEAR(r.square().mean().item<double>(), expected, 0.05 * expected);
}

TEST(Smoothness, RotationsHaveOneSlopeInManyDimensions) {
  const auto spread = [](std::int64_t n) {
    const at::Tensor turn = std::get<0>(at::linalg_qr(draw("turn", {n, n})));
    const at::Tensor eps = draw("eps", {64, n}).requires_grad_();
    const at::Tensor r = Smoothness::slopes(at::matmul(eps, turn), eps, draw("probe", {64, n}), level(1.0));
    EXPECT_NEAR(r.mean().item<double>(), 1.0, 0.15);
    return r.std().item<double>();
  };
  EXPECT_GT(spread(4), 0.2);
  EXPECT_LT(spread(256), 0.06);
}

TEST(Smoothness, ReferenceFollowsTheBatches) {
  const at::Tensor v = at::zeros({2, 1}).requires_grad_(), probe = at::ones({2, 1});
  const at::Tensor slopes = at::tensor({1.0F, 3.0F}).reshape({2, 1});
  Smoothness smoothness({.weight = 10.0, .rate = 0.5});
  // mean r = 2: m = 1, then 1.5; squares (0^2 + 2^2) / 2, (0.5^2 + 1.5^2) / 2.
  EXPECT_NEAR(smoothness.penalty(slopes * v, v, probe, level(1.0)).item<double>(), 10 * 2.0, 1e-5);
  EXPECT_NEAR(smoothness.reference(), 1.0, 1e-6);
  StateDict state;
  smoothness.save(state);
  Smoothness resumed({.weight = 10.0, .rate = 0.5});
  resumed.restore(state);
  EXPECT_NEAR(resumed.penalty(slopes * v, v, probe, level(1.0)).item<double>(), 10 * 1.25, 1e-5);
  EXPECT_NEAR(resumed.reference(), 1.5, 1e-6);
}

TEST(Smoothness, GradientAgreesWithDifferences) {
  const at::Tensor eps = draw("eps", {5, 4}).to(at::kDouble), probe = draw("probe", {5, 4}).to(at::kDouble);
  const at::Tensor mix = draw("mix", {4, 4}).to(at::kDouble);
  const auto penalty = [&](const at::Tensor& theta) {
    const at::Tensor v = eps.detach().clone().requires_grad_();
    Smoothness smoothness({.rate = 0.3});
    return smoothness.penalty(at::tanh(at::matmul(theta * v, mix)), v, probe, level(0.8));
  };
  const at::Tensor theta = at::full({4}, 0.7, at::kDouble).requires_grad_();
  penalty(theta).backward();
  for (std::int64_t i = 0; i < 4; ++i) {
    at::Tensor up = theta.detach().clone(), down = theta.detach().clone();
    up[i] += 1e-5;
    down[i] -= 1e-5;
    const double slope =
        (penalty(up.requires_grad_()).item<double>() - penalty(down.requires_grad_()).item<double>()) / 2e-5;
    EXPECT_NEAR(theta.grad()[i].item<double>(), slope, 1e-6 * (1 + std::abs(slope)));
  }
}

/// The effect: a small network trained with the penalty answers all measurements with nearly the same slope.
TEST(Smoothness, EvensTheSlopesOfATrainedNetwork) {
  const auto spread_after = [](double weight) {
    const at::Tensor first = (0.7 * draw("first", {2, 24})).requires_grad_(),
                     bias = draw("bias", {24}).requires_grad_();
    const at::Tensor second = (0.2 * draw("second", {24, 2})).requires_grad_();
    const auto net = [&](const at::Tensor& y) { return at::matmul(at::tanh(at::matmul(y, first) + bias), second); };
    Smoothness smoothness({.weight = weight});
    Trainer trainer({{"first", first}, {"bias", bias}, {"second", second}},
                    {.steps = 400, .warmup = 0, .final_lr = 1.0, .adam = {.lr = 0.01}});
    const auto sample = [](std::uint32_t step) { return draw("y", {64, 2}, step); };
    trainer.run(
        [&](std::int64_t step) {
          const auto s = static_cast<std::uint32_t>(step);
          const at::Tensor y = sample(s).requires_grad_(), x0 = net(y);
          const at::Tensor loss = (x0 - at::sin(2 * y.detach())).square().mean();
          return StepLoss{loss + smoothness.penalty(x0, y, draw("probe", {64, 2}, s), level(1.0)), {}};
        },
        {});
    const at::Tensor y = sample(9999).requires_grad_();
    const at::Tensor r = Smoothness::slopes(net(y), y, at::ones({64, 2}), level(1.0));
    return r.std().item<double>() / r.mean().item<double>();
  };
  const double without = spread_after(0.0), with = spread_after(3.0);
  EXPECT_LT(with, 0.8 * without) << with << " " << without;
}

TEST(Smoothness, SaysWhatIsWrong) {
  tests::expect_error(Errc::kUsage, "smoothness.weight must be >= 0, got -1", [] { Smoothness({.weight = -1}); });
  tests::expect_error(Errc::kUsage, "smoothness.rate must be in (0, 1], got 0", [] { Smoothness({.rate = 0}); });
  const at::Tensor v = at::ones({1, 2}).requires_grad_(), other = at::ones({1, 2}).requires_grad_();
  tests::expect_error(Errc::kInternal, "the estimate does not depend on the variable it is to be smooth in", [&] {
    Smoothness({}).penalty(2 * other, v, at::ones({1, 2}), level(1.0));
  });
  tests::expect_error(Errc::kCheckpoint, "smoothness", [] { Smoothness({}).restore(StateDict{}); });
}

}  // namespace
}  // namespace reseda::train
