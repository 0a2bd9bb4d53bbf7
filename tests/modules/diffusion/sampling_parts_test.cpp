#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/diffusion/batch_noise.hpp"
#include "modules/diffusion/sampler.hpp"
#include "modules/diffusion/samplers/ddim_step.hpp"
#include "modules/diffusion/samplers/reverse_step.hpp"
#include "modules/diffusion/samplers/rk45.hpp"
#include "modules/diffusion/weighted_sum.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::diffusion {
namespace {

TEST(WeightedSum, AddsScalarsAndMaps) {
  const at::Tensor x = at::tensor({1.0F, 2.0F}), y = at::tensor({10.0F, 20.0F});
  const Coef map(at::tensor({1.0, -1.0}));
  EXPECT_TRUE(at::equal(weighted_sum({{2.0, x}, {0.5, y}}), at::tensor({7.0F, 14.0F})));
  EXPECT_TRUE(at::equal(weighted_sum({{map, x}, {Coef(1.0), y}}), at::tensor({11.0F, 18.0F})));
  EXPECT_TRUE(at::equal(weighted_sum({{1.0, x}, {map, y}}), at::tensor({11.0F, -18.0F})));
  EXPECT_TRUE(at::equal(x, at::tensor({1.0F, 2.0F})));
}

TEST(WeightedSum, LeavesOutWhatCountsNothing) {
  const at::Tensor x = at::tensor({1.0F}), none;
  const at::Tensor nan = at::full({1}, std::nan(""), at::kFloat);
  EXPECT_EQ(weighted_sum({{0.0, nan}, {2.0, x}, {5.0, none}}).item<float>(), 2.0F);
  EXPECT_EQ(weighted_sum({{0.0, nan}}).item<float>(), 0.0F);
  EXPECT_THROW(weighted_sum({{1.0, none}}), Error);
}

TEST(WeightedSum, KeepsTheTypeOfTheFirstValue) {
  const at::Tensor wide = at::ones({2}, at::kDouble), narrow = at::ones({2}, at::kFloat);
  EXPECT_EQ(weighted_sum({{1.0, wide}, {1.0, narrow}}).scalar_type(), at::kDouble);
  EXPECT_EQ(weighted_sum({{0.0, wide}, {1.0, narrow}}).scalar_type(), at::kDouble);
}

TEST(BatchNoise, GivesEachItemItsOwnDraw) {
  CounterNoise noise(3);
  BatchNoise batch(noise, {"a", "b", "a"});
  const DrawKey key{"whole batch", "predictor", 4};
  const at::Tensor drawn = batch.normal(key, {3, 1, 5}, at::kComplexFloat);
  EXPECT_TRUE(at::equal(drawn[0], noise.normal({"a", "predictor", 4}, {1, 5}, at::kComplexFloat)));
  EXPECT_TRUE(at::equal(drawn[1], noise.normal({"b", "predictor", 4}, {1, 5}, at::kComplexFloat)));
  EXPECT_TRUE(at::equal(drawn[2], drawn[0]));
  EXPECT_TRUE(at::equal(batch.uniform(key, {3, 4})[1], noise.uniform({"b", "predictor", 4}, {4})));
  EXPECT_THROW(batch.normal(key, {2, 5}), Error);
}

TEST(DrawLike, HasTypeAndShapeOfItsModel) {
  CounterNoise noise(1);
  SampleContext context{.noise = noise, .item = "x", .on_step = {}, .trace = {}};
  const at::Tensor z = draw_like(context, "corrector", 2, at::zeros({2, 3}, at::kComplexDouble));
  EXPECT_EQ(z.scalar_type(), at::kComplexDouble);
  EXPECT_TRUE(at::equal(z.to(at::kComplexFloat), noise.normal({"x", "corrector", 2}, {2, 3}, at::kComplexFloat)));
}

TEST(AfterStep, ReportsTracesAndStops) {
  ZeroNoise noise;
  std::vector<std::int64_t> traced, reported;
  SampleContext context{.noise = noise,
                        .item = "clip",
                        .on_step =
                            [&](const Progress& progress) {
                              reported.push_back(progress.done);
                              return progress.done < 2;
                            },
                        .trace = [&](std::int64_t step, const at::Tensor&) { traced.push_back(step); }};
  const at::Tensor state = at::zeros({1});
  after_step(context, 1, 3, state);
  const auto [code, message] = error_of([&] { after_step(context, 2, 3, state); });
  EXPECT_EQ(code, Errc::kInterrupted);
  EXPECT_EQ(message, "clip: stopped after step 2");
  EXPECT_EQ(traced, (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(reported, (std::vector<std::int64_t>{1, 2}));
  // Work that is done is not thrown away.
  EXPECT_NO_THROW(after_step(context, 3, 3, state));
}

TEST(AfterStep, RefusesAResultThatIsNotFinite) {
  ZeroNoise noise;
  SampleContext context{.noise = noise, .item = "clip", .on_step = {}, .trace = {}};
  const at::Tensor bad = at::full({1}, INFINITY);
  EXPECT_NO_THROW(after_step(context, 1, 2, bad));
  const auto [code, message] = error_of([&] { after_step(context, 2, 2, bad); });
  EXPECT_EQ(code, Errc::kNumeric);
  EXPECT_EQ(message, "clip: the sampler's state is not finite after 2 steps");
}

TEST(ReverseStep, FinalStepOvershootsByTheKnownFactor) {
  // g^2 t_eps / sigma^2 at 16 kHz defaults: the last step of length t_eps takes away 1.118 times the noise.
  const auto process = make_process(component("ou_ve"));
  const ReverseStep step = reverse_step(*process, 0.03, 0.03);
  EXPECT_NEAR(-step.eps.scalar() / process->at(0.03).c.scalar(), 1.1184, 5e-5);
  EXPECT_NEAR(step.x.scalar(), 1 + 1.5 * 0.03, 1e-12);
  EXPECT_NEAR(step.y.scalar(), -1.5 * 0.03, 1e-12);
  EXPECT_NEAR(step.noise.scalar(), 0.114972201 * std::sqrt(0.03), 1e-9);
}

TEST(DdimStep, DeterministicAndFresh) {
  const Marginal from{0.2, 0.8, 0.5}, to{0.6, 0.4, 0.3};
  const DdimStep flow = ddim_step(from, to, 0.0);
  EXPECT_EQ(flow.x0.scalar(), 0.6);
  EXPECT_EQ(flow.y.scalar(), 0.4);
  EXPECT_EQ(flow.eps.scalar(), 0.3);
  EXPECT_EQ(flow.noise.scalar(), 0.0);
  // Ratio a c' / (a' c) = 0.2: s^2 = 0.09 (1 - 0.04), and half of it (in standard deviation) at eta = 0.5.
  const DdimStep markov = ddim_step(from, to, 1.0), half = ddim_step(from, to, 0.5);
  EXPECT_NEAR(markov.noise.scalar(), 0.3 * std::sqrt(0.96), 1e-12);
  EXPECT_NEAR(markov.eps.scalar(), 0.3 * 0.2, 1e-12);
  EXPECT_NEAR(half.noise.scalar(), 0.15 * std::sqrt(0.96), 1e-12);
  EXPECT_NEAR(half.eps.scalar(), 0.3 * std::sqrt(1 - 0.24), 1e-12);
}

TEST(DdimStep, EtaOneIsThePosteriorOfDdpm) {
  // abar 0.5 -> 0.8 with alpha = 0.625: variance (1 - 0.8) / (1 - 0.5) * (1 - 0.625), mean from x0 and x by Bayes.
  const Marginal from{std::sqrt(0.5), 0.0, std::sqrt(0.5)}, to{std::sqrt(0.8), 0.0, std::sqrt(0.2)};
  const DdimStep step = ddim_step(from, to, 1.0);
  EXPECT_NEAR(std::pow(step.noise.scalar(), 2.0), 0.2 / 0.5 * 0.375, 1e-12);
  // mean = sqrt(0.8) 0.375 / 0.5 x0 + sqrt(0.625) 0.2 / 0.5 x with x = sqrt(0.5) (x0 + eps)
  const double on_x = std::sqrt(0.625) * 0.2 / 0.5;
  EXPECT_NEAR(step.eps.scalar(), on_x * std::sqrt(0.5), 1e-12);
  EXPECT_NEAR(step.x0.scalar(), std::sqrt(0.8) * 0.375 / 0.5 + on_x * std::sqrt(0.5), 1e-12);
}

TEST(DdimStep, KnowsNothingOfNoiseThatIsNotThere) {
  const DdimStep step = ddim_step({0.0, 1.0, 0.0}, {0.6, 0.4, 0.3}, 1.0);
  EXPECT_EQ(step.noise.scalar(), 0.3);
  EXPECT_EQ(step.eps.scalar(), 0.0);
}

TEST(Rk45, SolvesTheExponentialBothWays) {
  const Velocity decay = [](double, const at::Tensor& x) { return -x; };
  const at::Tensor one = at::ones({1, 3}, at::kDouble);
  const Rk45Options tight{.rtol = 1e-9, .atol = 1e-12};
  const at::Tensor later = integrate_rk45(decay, one, 0.0, 2.0, tight);
  EXPECT_NEAR(later[0][1].item<double>(), std::exp(-2.0), 1e-9);
  EXPECT_NEAR(integrate_rk45(decay, later, 2.0, 0.0, tight)[0][0].item<double>(), 1.0, 1e-8);
}

TEST(Rk45, TurnsComplexStates) {
  const auto i = c10::complex<double>(0, 1);
  const Velocity turn = [&](double, const at::Tensor& x) { return x * at::Scalar(i); };
  const at::Tensor end =
      integrate_rk45(turn, at::ones({1}, at::kComplexDouble), 0.0, 1.0, {.rtol = 1e-10, .atol = 1e-10});
  EXPECT_NEAR(at::real(end).item<double>(), std::cos(1.0), 1e-9);
  EXPECT_NEAR(at::imag(end).item<double>(), std::sin(1.0), 1e-9);
}

TEST(Rk45, ExactForPolynomialsOfOrderFive) {
  // One accepted step of any length integrates t^4 exactly.
  const Velocity power = [](double t, const at::Tensor& x) { return at::full_like(x, 5 * std::pow(t, 4.0)); };
  const at::Tensor end = integrate_rk45(power, at::zeros({1}, at::kDouble), 0.0, 3.0, {.rtol = 1e-3, .atol = 1e-3});
  EXPECT_NEAR(end.item<double>(), 243.0, 1e-10);
}

TEST(Rk45, FirstStepByHand) {
  // x = 2, v = -2 with scale 1 + 0.5 * 2 = 2: d0 = d1 = 1, guess 0.01; ahead v = -1.98, d2 = 0.01 / 0.01 = 1; then
  // (0.01 / 1)^(1/5), below 100 * 0.01 and the span.
  const Velocity decay = [](double, const at::Tensor& x) { return -x; };
  const at::Tensor x = at::full({1}, 2.0, at::kDouble);
  EXPECT_NEAR(rk45_first_step(decay, x, -x, 0.0, 5.0, {.rtol = 0.5, .atol = 1.0}), std::pow(0.01, 0.2), 1e-12);
  EXPECT_NEAR(rk45_first_step(decay, x, -x, 0.0, 0.1, {.rtol = 0.5, .atol = 1.0}), 0.1, 1e-12);
}

TEST(Rk45, ReportsAcceptedTimesAndEndsOnTheEnd) {
  const Velocity decay = [](double, const at::Tensor& x) { return -x; };
  std::vector<double> times;
  integrate_rk45(decay, at::ones({1}, at::kDouble), 1.0, 0.25, {},
                 [&](double t, const at::Tensor&) { times.push_back(t); });
  ASSERT_FALSE(times.empty());
  EXPECT_EQ(times.back(), 0.25);
  for (std::size_t i = 1; i < times.size(); ++i) EXPECT_LT(times[i], times[i - 1]);
}

TEST(Rk45, GivesUpWithAReason) {
  const at::Tensor one = at::ones({1}, at::kDouble);
  const Velocity stiff = [](double, const at::Tensor& x) { return x * -1e6; };
  const auto [code, message] = error_of([&] { integrate_rk45(stiff, one, 0.0, 1.0, {.max_calls = 50}); });
  EXPECT_EQ(code, Errc::kNumeric);
  EXPECT_EQ(message.rfind("rk45: no end after 50 network calls, at time ", 0), 0U) << message;
  const Velocity broken = [](double, const at::Tensor& x) { return x * std::nan(""); };
  EXPECT_EQ(error_of([&] { integrate_rk45(broken, one, 0.0, 1.0, {}); }).first, Errc::kNumeric);
}

}  // namespace
}  // namespace reseda::diffusion
