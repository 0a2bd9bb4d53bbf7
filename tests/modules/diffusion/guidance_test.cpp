#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "modules/diffusion/guidance/adaptive_guidance.hpp"
#include "modules/diffusion/guidance/loss_guidance.hpp"
#include "modules/diffusion/guidance/range_dispatch.hpp"
#include "modules/diffusion/oracles/gaussian.hpp"
#include "modules/diffusion/oracles/gaussian_mixture.hpp"
#include "tests/modules/diffusion/plain_processes.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::diffusion {
namespace {

double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }
at::Tensor noise(const char* name, at::IntArrayRef shape) {
  return CounterNoise(9).normal({"data", name}, shape).to(at::kDouble);
}

/// A denoiser that says which one it is.
FunctionDenoiser named(double value) {
  return FunctionDenoiser([value](const at::Tensor& x, double, const Condition&) {
    return Estimates{at::full_like(x, value), at::full_like(x, value)};
  });
}

TEST(RangeDispatch, AsksTheExpertOfTheTime) {
  const FunctionDenoiser low = named(1), high = named(2), other = named(3);
  const at::Tensor x = at::ones({1, 1});
  const auto who = [&](const RangeDispatch& dispatch, double t) { return dispatch(x, t, {}).x0.item<double>(); };
  const RangeDispatch upper({{0.5, 0.8, &high}, {0.2, 0.5, &low}}, other);
  const RangeDispatch lower({{0.2, 0.5, &low}, {0.5, 0.8, &high}}, other, SharedEdge::kLower);
  for (const auto& [t, expected, official] :
       {std::tuple(0.1, 3, 3), {0.2, 1, 3}, {0.3, 1, 1}, {0.5, 2, 1}, {0.6, 2, 2}, {0.8, 3, 2}, {0.9, 3, 3}}) {
    EXPECT_EQ(who(upper, t), expected) << t;
    EXPECT_EQ(who(lower, t), official) << t;
  }
}

TEST(RangeDispatch, OfOneRangeIsItsDenoiser) {
  const PlainProcess process = anchored();
  const GaussianOracle oracle(noise("mu", {1, 1, 2, 2}), 0.5, process);
  const FunctionDenoiser other = named(3);
  const RangeDispatch all({{0.0, 1.1, &oracle}}, other);
  const at::Tensor y = noise("y", {2, 1, 2, 2});
  CounterNoise draws(1);
  const ConfigNode sampler = component("bridge_ddim", {{"steps", "5"}});
  EXPECT_TRUE(at::equal(run_sampler(sampler, y, process, all, draws), run_sampler(sampler, y, process, oracle, draws)));
}

TEST(RangeDispatch, RefusesRangesThatOverlapOrAreEmpty) {
  const FunctionDenoiser one = named(1);
  using Ranges = std::vector<RangeDispatch::Range>;
  tests::expect_error(Errc::kUsage, "must not overlap, got 0 to 0.5 and 0.4 to 1", [&] {
    RangeDispatch(Ranges{{0.4, 1, &one}, {0, 0.5, &one}}, one);
  });
  tests::expect_error(Errc::kUsage, "must begin before it ends, got 0.5 to 0.5", [&] {
    RangeDispatch(Ranges{{0.5, 0.5, &one}}, one);
  });
}

/// With the exact likelihood of a measurement of x_t the guided estimates are those of the posterior.
TEST(LossGuidance, IsBayesRuleForAGaussian) {
  const PlainProcess process = anchored();
  const double t = 0.4, d = 0.5, sigma = 0.3;
  const at::Tensor mu = noise("mu", {1, 1, 2, 2}), y = noise("y", {2, 1, 2, 2}), x = noise("x", {2, 1, 2, 2}),
                   z = noise("z", {2, 1, 2, 2});
  const Marginal m = process.at(t);
  const double a = m.a.scalar(), c = m.c.scalar();
  const GaussianOracle oracle(mu, d, process);
  // z = x0 + N(0, sigma^2): given x_t it is normal around the estimate, of variance v + sigma^2.
  const double v = d * d * c * c / (a * a * d * d + c * c);
  const auto loss = [&](const at::Tensor& x0, double) {
    return (z - x0).square().flatten(1).sum(1) / (2 * (v + sigma * sigma));
  };
  const LossGuidance guided(
      oracle, loss, [](double) { return 1.0; }, GradientOf::kState, process);
  const double kept = d * d / (d * d + sigma * sigma);
  const GaussianOracle posterior(mu + kept * (z - mu), std::sqrt(d * d * (1 - kept)), process);
  for (const bool inference : {false, true}) {
    const c10::InferenceMode mode(inference);
    const Estimates found = guided(x, t, {y}), expected = posterior(x, t, {y});
    EXPECT_LT(largest(found.x0 - expected.x0), 1e-12);
    EXPECT_LT(largest(found.eps - expected.eps), 1e-12);
    EXPECT_FALSE(found.x0.requires_grad());
  }
}

TEST(LossGuidance, MovesTheEstimateItselfWithoutTheNetwork) {
  const PlainProcess process = anchored();
  const at::Tensor mu = noise("mu", {1, 1, 2, 2}), y = noise("y", {2, 1, 2, 2}), x = noise("x", {2, 1, 2, 2});
  const GaussianOracle oracle(mu, 0.5, process);
  const auto loss = [&](const at::Tensor& x0, double) { return x0.square().flatten(1).sum(1); };
  const LossGuidance guided(
      oracle, loss, [](double t) { return t < 0.5 ? 0.1 : 0.0; }, GradientOf::kEstimate, process);
  const Estimates found = guided(x, 0.4, {y}), plain = oracle(x, 0.4, {y});
  EXPECT_LT(largest(found.x0 - 0.8 * plain.x0), 1e-12);
  EXPECT_LT(largest(process.at(0.4).sample(found.x0, y, found.eps) - x), 1e-12);
  EXPECT_TRUE(at::equal(guided(x, 0.6, {y}).x0, oracle(x, 0.6, {y}).x0));
}

class Adaptive : public testing::Test {
 protected:
  Estimates call(const AdaptiveGuidance& guidance, double t, std::int64_t items = 2) const {
    return guidance(x_.narrow(0, 0, items), t, {});
  }
  AdaptiveGuidance make(double threshold, double weight = 3.0) const {
    return {guided_, unguided_, weight, threshold, process_};
  }
  PlainProcess process_ = exploding(2.0, 0.01);
  at::Tensor x_ = noise("x", {2, 1, 2, 2});
  GaussianOracle guided_{at::full({1}, 1.0, at::kDouble), 0.3, process_};
  GaussianMixtureOracle unguided_{
      {{0.5, at::full({1, 2, 2}, 1.0, at::kDouble), 0.3}, {0.5, at::full({1, 2, 2}, -1.0, at::kDouble), 0.3}},
      process_};
};

TEST_F(Adaptive, AboveOneIsClassifierFreeGuidance) {
  const AdaptiveGuidance guidance = make(1.1);
  for (const double t : {1.5, 0.5, 0.05}) {
    const at::Tensor c = guided_(x_, t, {}).eps, u = unguided_(x_, t, {}).eps;
    const Estimates found = call(guidance, t);
    EXPECT_LT(largest(found.eps - (u + 3.0 * (c - u))), 1e-12) << t;
    EXPECT_LT(largest(found.x0 + t * found.eps - x_), 1e-12);
  }
  EXPECT_EQ(guidance.unguided_calls(), 6);
}

TEST_F(Adaptive, AtMinusOneIsTheGuidedDenoiserAlone) {
  const AdaptiveGuidance guidance = make(-1.0);
  EXPECT_LT(largest(call(guidance, 1.5).eps - guided_(x_, 1.5, {}).eps), 1e-12);
  EXPECT_TRUE(at::equal(call(guidance, 0.5).eps, guided_(x_, 0.5, {}).eps));
  EXPECT_EQ(guidance.unguided_calls(), 2) << "the first call has to look";
}

TEST_F(Adaptive, GivesUpItemByItemAndStaysSo) {
  // One item near the guided component, where both agree, and one between the two.
  x_ = at::stack({at::full({1, 2, 2}, 1.2, at::kDouble), at::full({1, 2, 2}, -0.05, at::kDouble)});
  const AdaptiveGuidance guidance = make(0.99);
  const Estimates first = call(guidance, 0.5);
  EXPECT_LT(largest(first.eps[0] - guided_(x_, 0.5, {}).eps[0]), 1e-12);
  EXPECT_GT(largest(first.eps[1] - guided_(x_, 0.5, {}).eps[1]), 1e-2);
  EXPECT_EQ(guidance.unguided_calls(), 2);
  call(guidance, 0.4);
  EXPECT_EQ(guidance.unguided_calls(), 3) << "the second item alone";
  const AdaptiveGuidance alone = make(0.99);
  const Estimates single = alone(x_.narrow(0, 1, 1), 0.5, {});
  EXPECT_TRUE(at::equal(single.eps[0], first.eps[1]));
  call(guidance, 0.9);
  EXPECT_EQ(guidance.unguided_calls(), 5) << "a later time begins a new run";
}

TEST_F(Adaptive, AgreesWithTheMixtureAtLowNoise) {
  x_ = 1.0 + 0.2 * x_;
  const at::Tensor c = guided_(x_, 0.01, {}).eps.flatten(), u = unguided_(x_, 0.01, {}).eps.flatten();
  EXPECT_GT((c.dot(u) / (c.norm() * u.norm())).item<double>(), 0.999);
}

}  // namespace
}  // namespace reseda::diffusion
