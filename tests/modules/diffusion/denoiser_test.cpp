#include "modules/diffusion/denoiser.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/diffusion/oracles/gaussian.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::diffusion {
namespace {

at::Tensor number(double value) { return at::full({1, 1, 1, 1}, value, at::kDouble); }

/// x0 = 2, y = 3, eps = -1 with a = 0.5, b = 0.25, c = 2: x = 1 + 0.75 - 2 = -0.25.
struct Example {
  Marginal marginal{0.5, 0.25, 2.0};
  Rates rates{-1.0, 0.5, 4.0};
  at::Tensor x0 = number(2), y = number(3), eps = number(-1), x = number(-0.25);
};

struct TargetCase {
  Target target;
  double value;
};

TEST(Targets, HaveTheirValuesByHand) {
  const Example e;
  // Resnoise: A = 0.75, A' = -0.5, f = -2/3, h = 0.5 + 1/6 = 2/3, 2 (c' - f c) = 32/3, w = 1/16.
  // F: sigma = 4, c_skip = 0.25/16.25, c_out = 2/sqrt(16.25), x~ = 2 - 4 = -2.
  const TargetCase cases[] = {{Target::kX0, 2},
                              {Target::kEps, -1},
                              {Target::kScaledEps, -2},
                              {Target::kScore, 0.5},
                              {Target::kV, -4.5},
                              {Target::kVelocity, -2 + 1.5 - 4},
                              {Target::kResidual, 1},
                              {Target::kResNoise, -1 + 1.0 / 16},
                              {Target::kEdmF, (2 + 2 * 0.25 / 16.25) / (2 / std::sqrt(16.25))}};
  for (const auto& [target, value] : cases) {
    const at::Tensor made = target_value(target, e.x0, e.eps, e.y, e.marginal, e.rates);
    EXPECT_NEAR(made.item<double>(), value, 1e-12) << target_name(target);
    const Estimates solved = estimates_from(target, number(value), e.x, e.y, e.marginal, e.rates);
    EXPECT_NEAR(solved.x0.item<double>(), 2, 1e-12) << target_name(target);
    EXPECT_NEAR(solved.eps.item<double>(), -1, 1e-12) << target_name(target);
  }
}

TEST(Targets, ResidualAndNoiseShareTheChannelAxis) {
  const Example e;
  const at::Tensor both = target_value(Target::kResidualAndNoise, e.x0, e.eps, e.y, e.marginal, e.rates);
  EXPECT_EQ(both.sizes(), (at::IntArrayRef{1, 2, 1, 1}));
  EXPECT_EQ(both[0][0].item<double>(), 1.0);
  EXPECT_EQ(both[0][1].item<double>(), -1.0);
  const Estimates solved = estimates_from(Target::kResidualAndNoise, both, e.x, e.y, e.marginal, e.rates);
  EXPECT_NEAR(solved.x0.item<double>(), 2, 1e-12);
  EXPECT_EQ(solved.eps.item<double>(), -1);
  const auto [code, message] =
      error_of([&] { estimates_from(Target::kResidualAndNoise, e.x0, e.x, e.y, e.marginal, e.rates); });
  EXPECT_EQ(code, Errc::kInternal);
  EXPECT_NE(message.find("needs twice the channels of the state, got [1, 1, 1, 1]"), std::string::npos) << message;
}

TEST(Targets, ResnoiseWeightOfTheDiscreteResfusionStep) {
  // With abar = 0.36 (s = 0.6), alpha = 0.81: a = 2 s - 1, b = 1 - s, c = 0.8, rates from f = -(1 - sqrt(alpha)) and
  // g^2 = beta; the official weight is (1 - sqrt(alpha)) sqrt(1 - abar) / beta.
  const double s = 0.6, c = 0.8, root = 0.9, beta = 0.19, f = -(1 - root);
  const Marginal marginal{2 * s - 1, 1 - s, c};
  const double b_rate = (1 - root) + f * (1 - s), a_rate = f * s - b_rate, c_rate = beta / (2 * c) + f * c;
  const double weight = (1 - root) * c / beta;
  const at::Tensor value =
      target_value(Target::kResNoise, number(0), number(0), number(1), marginal, {a_rate, b_rate, c_rate});
  EXPECT_NEAR(value.item<double>(), weight, 1e-12);
}

TEST(Targets, RectifiedFlowAndVariancePreservingSpecialCases) {
  const double t = 0.3;
  const Marginal flow{1 - t, 0.0, t};
  const Rates flow_rates{-1.0, 0.0, 1.0};
  const at::Tensor x = number(1.7), u = number(-0.4);
  const Estimates solved = estimates_from(Target::kVelocity, u, x, {}, flow, flow_rates);
  EXPECT_NEAR(solved.x0.item<double>(), 1.7 + 0.3 * 0.4, 1e-12);
  EXPECT_NEAR(solved.eps.item<double>(), 1.7 - 0.7 * 0.4, 1e-12);
  // a = cos phi, c = sin phi: the velocity is v.
  const Marginal preserving{std::cos(0.7), 0.0, std::sin(0.7)};
  const Rates turning{-std::sin(0.7), 0.0, std::cos(0.7)};
  const at::Tensor x0 = number(0.2), eps = number(-1.1);
  EXPECT_NEAR(target_value(Target::kVelocity, x0, eps, {}, preserving, turning).item<double>(),
              target_value(Target::kV, x0, eps, {}, preserving, turning).item<double>(), 1e-15);
}

TEST(Targets, NoiseIsZeroWhereThereIsNone) {
  const Example e;
  const Marginal clean{1.0, 0.0, 0.0};
  EXPECT_EQ(estimates_from(Target::kX0, e.x0, e.x, e.y, clean, e.rates).eps.item<double>(), 0.0);
  // A map that vanishes at one pixel only.
  const Marginal mixed{0.5, 0.25, Coef(at::tensor({0.0, 2.0}).reshape({1, 1, 1, 2}))};
  const at::Tensor pair = at::full({1, 1, 1, 2}, -0.25, at::kDouble);
  const at::Tensor eps = estimates_from(Target::kX0, e.x0.expand_as(pair), pair, e.y, mixed, e.rates).eps;
  EXPECT_EQ(eps[0][0][0][0].item<double>(), 0.0);
  EXPECT_NEAR(eps[0][0][0][1].item<double>(), -1.0, 1e-12);
}

TEST(Targets, RefuseWhatCannotBeSolved) {
  const Example e;
  const Marginal start{0.0, 1.0, 2.0}, clean{1.0, 0.0, 0.0};
  const struct {
    std::function<void()> action;
    const char* message;
  } cases[] = {{[&] { estimates_from(Target::kEps, e.eps, e.x, e.y, start, e.rates); },
                "target 'eps' cannot be solved at this time: a is 0"},
               {[&] { estimates_from(Target::kScore, e.eps, e.x, e.y, start, e.rates); },
                "target 'score' cannot be solved at this time: a is 0"},
               {[&] { target_value(Target::kScore, e.x0, e.eps, e.y, clean, e.rates); },
                "target 'score' cannot be solved at this time: c is 0"},
               {[&] { estimates_from(Target::kEdmF, e.eps, e.x, e.y, start, e.rates); },
                "target 'edm_f' cannot be solved at this time: a is 0"},
               {[&] {
                  estimates_from(Target::kVelocity, e.eps, e.x, e.y, clean, {0.0, 0.0, 0.0});
                },
                "target 'velocity' cannot be solved at this time: a c' - a' c is 0"},
               {[&] { estimates_from(Target::kResidual, e.eps, e.x, {}, clean, e.rates); },
                "target 'residual' needs a measurement y"}};
  for (const auto& one : cases) {
    const auto [code, message] = error_of(one.action);
    EXPECT_EQ(code, Errc::kInternal);
    EXPECT_EQ(message, one.message);
  }
}

TEST(Targets, ParseTheirNames) {
  for (const Target target :
       {Target::kX0, Target::kEps, Target::kScaledEps, Target::kScore, Target::kV, Target::kVelocity, Target::kResidual,
        Target::kResNoise, Target::kResidualAndNoise, Target::kEdmF})
    EXPECT_EQ(parse_target(target_name(target)), target);
  const auto [code, message] = error_of([] { parse_target("scores"); });
  EXPECT_EQ(code, Errc::kUsage);
  EXPECT_EQ(message.rfind("unknown target 'scores'; did you mean 'score'? (known: x0, eps, ", 0), 0U) << message;
}

TEST(NetworkDenoiser, CallsWithOneTimePerItem) {
  const auto process = make_process(component("ou_ve"));
  at::Tensor seen_t, seen_y;
  const NetworkDenoiser denoiser(
      [&](const at::Tensor& x, const at::Tensor& y, const at::Tensor& t) {
        seen_t = t;
        seen_y = y;
        return at::ones_like(x);
      },
      Target::kX0, *process);
  const at::Tensor x = at::full({3, 1, 2, 2}, 2.0F), y = at::zeros({3, 1, 2, 2});
  const Estimates estimates = denoiser(x, 0.25, {y});
  EXPECT_TRUE(at::equal(seen_t, at::full({3}, 0.25, at::kFloat)));
  EXPECT_TRUE(seen_y.is_same(y));
  EXPECT_TRUE(at::equal(estimates.x0, at::ones_like(x)));
  const Marginal marginal = process->at(0.25);
  const double eps = (2.0 - marginal.a.scalar()) / marginal.c.scalar();
  EXPECT_TRUE(at::allclose(estimates.eps, at::full_like(x, eps), 1e-6));
}

TEST(NetworkDenoiser, SolvesAVelocityWithTheRates) {
  const auto process = make_process(component("sb_ve"));
  const double t = 0.4;
  const at::Tensor x0 = number(0.5), y = number(2), eps = number(-0.3);
  const at::Tensor value = target_value(Target::kVelocity, x0, eps, y, process->at(t), process->rate(t));
  const NetworkDenoiser denoiser([&](const at::Tensor&, const at::Tensor&, const at::Tensor&) { return value; },
                                 Target::kVelocity, *process);
  const Estimates estimates = denoiser(process->at(t).sample(x0, y, eps), t, {y});
  EXPECT_NEAR(estimates.x0.item<double>(), 0.5, 1e-10);
  EXPECT_NEAR(estimates.eps.item<double>(), -0.3, 1e-10);
}

TEST(GaussianOracle, IsThePosteriorByHand) {
  // At a = 0.5, c = 2 with x0 ~ N(1, 3^2): total 0.25 * 9 + 4 = 6.25.
  struct Fixed final : Process {
    Marginal at(double) const override { return {0.5, 0.25, 2.0}; }
    Rates rate(double) const override { return {0.0, 0.0, 0.0}; }
    double t_end() const override { return 0.0; }
    at::Tensor prior(const at::Tensor& y, NoiseSource&, std::string_view) const override { return y; }
  };
  const Fixed process;
  const GaussianOracle oracle(number(1), 3.0, process);
  // x = 3 with y = 4: e = 3 - 1 - 0.5 = 1.5.
  const Estimates estimates = oracle(number(3), 0.5, {number(4)});
  EXPECT_NEAR(estimates.x0.item<double>(), 1 + 0.5 * 9 / 6.25 * 1.5, 1e-12);
  EXPECT_NEAR(estimates.eps.item<double>(), 2 / 6.25 * 1.5, 1e-12);
  const GaussianOracle point(number(1), 0.0, process);
  EXPECT_EQ(point(number(3), 0.5, {number(4)}).x0.item<double>(), 1.0);
  EXPECT_EQ(error_of([&] { GaussianOracle(number(1), -1.0, process); }).second,
            "deviation of the oracle must be >= 0, got -1");
}

}  // namespace
}  // namespace reseda::diffusion
