#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/diffusion/oracles/gaussian.hpp"
#include "modules/diffusion/samplers/sb_schedule.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::diffusion {
namespace {

SbSchedule default_schedule(std::int64_t steps) {
  return sb_schedule({}, at::linspace(1.0, 1e-4, steps + 1, at::kFloat));
}

TEST(SbSchedule, AgreesWithTheTable) {
  const SbSchedule schedule = default_schedule(50);
  const SbWeights weights = sb_ode_weights(schedule);
  const struct {
    int n;
    double s, r, a, b, d, tolerance;
  } rows[] = {{1, 1.07358396, .230335802, 2251.90283, .0439867526, -2250.92676, 1e-2},
              {2, 1.04953206, .322675616, 1.36950731, .0260948427, -.395602286, 1e-5},
              {25, .578749657, .933105528, .981805325, .0304061826, -.0122113088, 1e-6},
              {49, .0905294865, 1.09427667, .703686118, .299245119, -.00293128216, 1e-6},
              {50, .00632439321, 1.09799683, .0700975284, .930345774, -.000443327881, 1e-5}};
  for (const auto& row : rows) {
    EXPECT_NEAR(schedule.s[row.n].item<double>(), row.s, 3e-7);
    EXPECT_NEAR(schedule.r[row.n].item<double>(), row.r, 1e-6);
    EXPECT_NEAR(weights.state[row.n - 1].item<double>(), row.a, row.tolerance);
    EXPECT_NEAR(weights.x0[row.n - 1].item<double>(), row.b, 1e-5);
    EXPECT_NEAR(weights.y[row.n - 1].item<double>(), row.d, row.tolerance);
  }
  EXPECT_NEAR(schedule.r[0].item<double>(), 1e-4, 1e-9);
}

TEST(SbSchedule, WeightsSumToOneAfterTheFirstStep) {
  const SbWeights weights = sb_ode_weights(default_schedule(50));
  const at::Tensor sum = (weights.state.to(at::kDouble) + weights.x0 + weights.y);
  EXPECT_NEAR(sum[0].item<double>(), 1.0200, 5e-4);
  EXPECT_TRUE(at::allclose(sum.slice(0, 1), at::ones({49}, at::kDouble), 0, 2e-6));
}

TEST(SbSchedule, StochasticWeightsAgreeWithTheTable) {
  const SbWeights weights = sb_sde_weights(default_schedule(50));
  EXPECT_NEAR(weights.state[0].item<double>(), .955994606, 1e-6);
  EXPECT_NEAR(weights.x0[0].item<double>(), .044005394, 1e-6);
  EXPECT_NEAR(weights.noise[0].item<double>(), .225210682, 2e-6);
  EXPECT_NEAR(weights.state[49].item<double>(), .00488041854, 1e-7);
  EXPECT_NEAR(weights.x0[49].item<double>(), .995119572, 1e-6);
  EXPECT_EQ(weights.noise[49].item<double>(), 0.0);
}

TEST(SbSchedule, NeverLosesTheRemainingVariance) {
  // At these settings the official float32 schedule is NaN, or an ulp or more too large, at t = 1.
  const double settings[][2] = {{1.5, .5}, {2.0, .3}, {2.2, .6}, {2.4, .3}, {2.4, .6}, {2.8, .3}, {3.5, .3},
                                {3.5, .4}, {3.5, .6}, {2.6, .2}, {2.6, .3}, {2.6, .5}, {2.6, .6}, {1.0, .4}};
  for (const auto& [k, c] : settings) {
    SbVeConfig config;
    config.k = k;
    config.c = c;
    const SbSchedule schedule = sb_schedule(config, at::linspace(1.0, 1e-4, 51, at::kFloat));
    EXPECT_NEAR(schedule.r[0].item<double>(), 1e-4, 1e-9) << k << ", " << c;
    EXPECT_TRUE(at::all(schedule.r.diff() > 0).item<bool>()) << k << ", " << c;
    EXPECT_TRUE(at::all(schedule.s.diff() < 0).item<bool>()) << k << ", " << c;
    EXPECT_TRUE(at::isfinite(sb_ode_weights(schedule).y).all().item<bool>()) << k << ", " << c;
  }
}

class BridgeTest : public testing::Test {
 protected:
  std::unique_ptr<Process> process_ = make_process(component("sb_ve"));
  at::Tensor y_ = at::full({1, 1, 1, 1}, 2.0, at::kDouble);
  at::Tensor x0_ = at::full({1, 1, 1, 1}, -0.5, at::kDouble);
  GaussianOracle known_{x0_, 0.0, *process_};
};

TEST_F(BridgeTest, OfficialOdeCarriesItsFirstGainInClosedForm) {
  // With x0 held: w_x(t_n) x0 + w_y(t_n) y + 0.0201 y s_n r_n / (s_1 r_1); 0.049 y half way, 6e-4 y at the end.
  ZeroNoise noise;
  std::vector<double> states;
  run_sampler(component("sb_ode"), y_, *process_, known_, noise,
              [&](std::int64_t, const at::Tensor& x) { states.push_back(x.item<double>()); });
  ASSERT_EQ(states.size(), 50U);
  const SbSchedule schedule = default_schedule(50);
  const SbWeights weights = sb_ode_weights(schedule);
  const double gain =
      (weights.state[0].item<double>() + weights.x0[0].item<double>() + weights.y[0].item<double>() - 1.0) * 2.0;
  const at::Tensor shape = (schedule.s * schedule.r).to(at::kDouble);
  double largest = 0;
  for (int n = 1; n <= 50; ++n) {
    const double t = at::linspace(1.0, 1e-4, 51, at::kFloat)[n].item<double>();
    const double carried = gain * (shape[n] / shape[1]).item<double>();
    EXPECT_NEAR(states[n - 1], process_->at(t).mean(x0_, y_).item<double>() + carried, 2e-4) << n;
    largest = std::max(largest, carried / 2.0);
  }
  EXPECT_NEAR(largest, 0.049, 1e-3);
  EXPECT_NEAR(gain * (shape[50] / shape[1]).item<double>() / 2.0, 6e-4, 5e-5);
}

TEST_F(BridgeTest, ExactOdeFollowsTheMeanOfTheBridge) {
  ZeroNoise noise;
  int n = 0;
  run_sampler(component("sb_ode", {{"schedule", "exact"}}), y_, *process_, known_, noise,
              [&](std::int64_t, const at::Tensor& x) {
                const double t = at::linspace(1.0, 1e-4, 51, at::kFloat)[++n].item<double>();
                EXPECT_NEAR(x.item<double>(), process_->at(t).mean(x0_, y_).item<double>(), 1e-3);
              });
  const auto pinned = make_process(component("sb_ve", {{"eps", "0"}}));
  const at::Tensor end =
      run_sampler(component("sb_ode", {{"schedule", "exact"}}), y_, *pinned, GaussianOracle(x0_, 0.0, *pinned), noise);
  EXPECT_NEAR(end.item<double>(), pinned->at(1e-4F).mean(x0_, y_).item<double>(), 1e-12);
}

TEST_F(BridgeTest, SdeWithoutNoiseFollowsTheVariance) {
  // x0 + (s_n^2 / S^2)(y - x0) for every schedule.
  for (const char* schedule : {"official", "exact"}) {
    ZeroNoise noise;
    int n = 0;
    run_sampler(component("sb_sde", {{"steps", "10"}, {"schedule", schedule}}), y_, *process_, known_, noise,
                [&](std::int64_t, const at::Tensor& x) {
                  const double t = at::linspace(1.0, 1e-4, 11, at::kFloat)[++n].item<double>();
                  const double share = std::expm1(2 * t * std::log(2.6)) / (2.6 * 2.6 - 1);
                  EXPECT_NEAR(x.item<double>(), -0.5 + share * 2.5, 1e-5) << schedule << n;
                });
  }
}

TEST_F(BridgeTest, SdeSpreadsLikeTheData) {
  const at::Tensor y = at::full({1, 1, 120, 120}, 2.0, at::kDouble);
  const GaussianOracle oracle(x0_, 0.3, *process_);
  for (const char* schedule : {"official", "exact"}) {
    CounterNoise noise(4);
    const at::Tensor x =
        run_sampler(component("sb_sde", {{"steps", "400"}, {"schedule", schedule}, {"conditioning", "current"}}), y,
                    *process_, oracle, noise);
    EXPECT_NEAR(x.mean().item<double>(), -0.5, 0.01);
    EXPECT_NEAR(x.std().item<double>(), 0.3, 0.01);
  }
}

TEST_F(BridgeTest, TellsTheNetworkTheNewTime) {
  const auto times = [&](const char* conditioning) {
    std::vector<double> seen;
    const FunctionDenoiser denoiser([&](const at::Tensor& x, double t, const Condition&) {
      seen.push_back(t);
      return Estimates{at::zeros_like(x), {}};
    });
    ZeroNoise noise;
    run_sampler(component("sb_ode", {{"steps", "2"}, {"conditioning", conditioning}}), y_, *process_, denoiser, noise);
    return seen;
  };
  const std::vector<double> next = times("next"), current = times("current");
  EXPECT_NEAR(next[0], 0.50005, 1e-7);
  EXPECT_NEAR(next[1], 1e-4, 1e-9);
  EXPECT_EQ(current[0], 1.0);
  EXPECT_EQ(current[1], next[0]);
}

TEST_F(BridgeTest, DrawsInEveryStepOfTheSdeAndNeverInTheOde) {
  ListedNoise sde, ode;
  run_sampler(component("sb_sde", {{"steps", "3"}}), y_, *process_, known_, sde);
  EXPECT_EQ(sde.draws, (std::vector<std::string>{"predictor 0", "predictor 1", "predictor 2"}));
  run_sampler(component("sb_ode", {{"steps", "3"}}), y_, *process_, known_, ode);
  EXPECT_TRUE(ode.draws.empty());
}

TEST_F(BridgeTest, SaysWhatIsWrong) {
  const auto other = make_process(component("ou_ve"));
  ZeroNoise noise;
  const auto [code, message] =
      error_of([&] { run_sampler(component("sb_ode"), y_, *other, GaussianOracle(x0_, 0.0, *other), noise); });
  EXPECT_EQ(code, Errc::kUsage);
  EXPECT_EQ(message.rfind("the official schedule of samplers sb_ode and sb_sde needs the process sb_ve", 0), 0U);
  const struct {
    std::vector<std::pair<std::string, std::string>> keys;
    const char* message;
  } cases[] = {{{{"steps", "0"}}, "sampler.steps must be in 1 to 100000, got 0"},
               {{{"t_end", "0"}}, "sampler.t_end must be in (0, 1), got 0"},
               {{{"schedule", "double"}}, "sampler.schedule must be one of official, exact, got 'double'"},
               {{{"conditioning", "new"}}, "sampler.conditioning must be one of next, current, got 'new'"}};
  for (const auto& one : cases)
    for (const char* name : {"sb_ode", "sb_sde"}) {
      const auto [kind, text] = error_of([&] { make_sampler(component(name, one.keys)); });
      EXPECT_EQ(kind, Errc::kUsage);
      EXPECT_EQ(text, one.message);
    }
}

}  // namespace
}  // namespace reseda::diffusion
