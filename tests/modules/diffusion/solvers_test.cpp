// The solvers' formulas by hand, their equalities, draws, calls and errors.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/diffusion/oracles/gaussian_mixture.hpp"
#include "modules/diffusion/time_grid.hpp"
#include "tests/modules/diffusion/plain_processes.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::diffusion {
namespace {

using Keys = std::vector<std::pair<std::string, std::string>>;

const double kLn2 = std::log(2.0);

at::Tensor number(double value) { return at::full({1, 1, 1, 1}, value, at::kDouble); }

GaussianMixtureOracle two_bumps(const Process& process) {
  return {{{0.4, number(-0.7), 0.2}, {0.6, number(0.9), 0.3}}, process};
}

/// x0 as a function of time, whatever the state; eps from the state.
FunctionDenoiser known_x0(const Process& process, const std::function<double(double)>& x0) {
  return FunctionDenoiser([&process, x0](const at::Tensor& x, double t, const Condition& condition) {
    const at::Tensor value = at::full_like(x, x0(t));
    return estimates_from(Target::kX0, value, x, condition.y, process.at(t), {});
  });
}

FunctionDenoiser known_eps(const Process& process, const std::function<double(double)>& eps) {
  return FunctionDenoiser([&process, eps](const at::Tensor& x, double t, const Condition& condition) {
    const at::Tensor value = at::full_like(x, eps(t));
    return estimates_from(Target::kEps, value, x, condition.y, process.at(t), {});
  });
}

/// c falls by halves: 4, 2, 1, then 0.5, so that every step in ln(a / c) is ln 2 long.
class HalvingTest : public testing::Test {
 protected:
  /// The states after each step, from x = 8 at c = 4.
  std::vector<double> states(const std::string& name, Keys keys, const Denoiser& denoiser) {
    keys.insert(keys.end(), {{"times", "[4, 2, 1]"}, {"final_state", "t_end"}});
    std::vector<double> found;
    RecordedNoise noise({at::full({1, 1, 1, 1}, 2.0, at::kFloat)});
    run_sampler(component(name, keys), number(0), process_, denoiser, noise,
                [&](std::int64_t, const at::Tensor& x) { found.push_back(x.item<double>()); });
    return found;
  }

  static void expect(const std::vector<double>& found, const std::vector<double>& expected) {
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-12) << "step " << i;
  }

  PlainProcess process_ = exploding(4.0, 0.5);
  // x0 at c = 4, 2, 1 and elsewhere
  double m0_ = 1.0, m1_ = 3.0, m2_ = 2.5;
  FunctionDenoiser denoiser_ = known_x0(process_, [this](double t) { return t == 4 ? m0_ : t == 2 ? m1_ : m2_; });
};

TEST_F(HalvingTest, DpmSolverOfSecondOrder) {
  const double x1 = 0.5 * 8 + 0.5 * m0_, x2 = 0.5 * x1 + 0.5 * m1_ + 0.25 * (m1_ - m0_);
  const double x3 = 0.5 * x2 + 0.5 * m2_ + 0.25 * (m2_ - m1_);
  expect(states("dpm_solver_pp", {{"lower_order_final", "no"}}, denoiser_), {x1, x2, x3});
  expect(states("dpm_solver_pp", {{"lower_order_final", "yes"}}, denoiser_), {x1, x2, 0.5 * x2 + 0.5 * m2_});
  expect(states("dpm_solver_pp", {}, denoiser_), {x1, x2, 0.5 * x2 + 0.5 * m2_});
  const double taylor = 1 - 0.5 / kLn2;
  expect(states("dpm_solver_pp", {{"variant", "taylor"}}, denoiser_),
         {x1, 0.5 * x1 + 0.5 * m1_ + taylor * (m1_ - m0_),
          0.5 * (0.5 * x1 + 0.5 * m1_ + taylor * (m1_ - m0_)) + 0.5 * m2_});
}

TEST_F(HalvingTest, DpmSolverOfThirdOrder) {
  const double x1 = 0.5 * 8 + 0.5 * m0_, p = 1 - 0.5 / kLn2, q = p / kLn2 - 0.5;
  const double x2 = 0.5 * x1 + 0.5 * m1_ + 0.25 * (m1_ - m0_);  // two estimates are known: midpoint
  const double d0 = m2_ - m1_, d1 = m1_ - m0_;
  const double x3 = 0.5 * x2 + 0.5 * m2_ + p * (d0 + 0.5 * (d0 - d1)) - q * 0.5 * (d0 - d1);
  expect(states("dpm_solver_pp", {{"order", "3"}, {"lower_order_final", "no"}}, denoiser_), {x1, x2, x3});
}

TEST_F(HalvingTest, StochasticDpmSolver) {
  // H = 2 ln 2: state (1/2)(1/2), E = 3/4; the draws are ListedNoise's zeros but for the prior, here 2 as above.
  std::vector<double> found;
  ListedNoise noise;
  run_sampler(component("dpm_solver_pp",
                        {{"eta", "1"}, {"times", "[4, 2, 1]"}, {"final_state", "t_end"}, {"lower_order_final", "no"}}),
              number(0), process_, denoiser_, noise,
              [&](std::int64_t, const at::Tensor& x) { found.push_back(x.item<double>()); });
  const double x1 = 0.75 * m0_, x2 = 0.25 * x1 + 0.75 * m1_ + 0.375 * (m1_ - m0_);
  expect(found, {x1, x2, 0.25 * x2 + 0.75 * m2_ + 0.375 * (m2_ - m1_)});
  EXPECT_EQ(noise.draws, (std::vector<std::string>{"prior 0", "predictor 0", "predictor 1", "predictor 2"}));
  // The share of fresh noise: c' sqrt(1 - e^{-2 eta h}).
  RecordedNoise drawn({at::zeros({1, 1, 1, 1}), at::ones({1, 1, 1, 1})});
  const at::Tensor once =
      run_sampler(component("dpm_solver_pp", {{"eta", "0.5"}, {"times", "[4]"}, {"final_state", "t_end"}}), number(0),
                  exploding(4.0, 2.0), known_x0(process_, [](double) { return 0.0; }), drawn);
  EXPECT_NEAR(once.item<double>(), 2 * std::sqrt(0.5), 1e-12);
}

TEST_F(HalvingTest, UniPcOfFirstOrder) {
  const double x1 = 0.5 * 8 + 0.5 * m0_;
  const auto expected = [&](double b) {
    const double c1 = x1 + b * 0.5 * (m1_ - m0_), x2 = 0.5 * c1 + 0.5 * m1_, c2 = x2 + b * 0.5 * (m2_ - m1_);
    return std::vector<double>{x1, x2, 0.5 * c2 + 0.5 * m2_};
  };
  expect(states("unipc", {{"order", "1"}}, denoiser_), expected(0.5));
  expect(states("unipc", {{"order", "1"}, {"variant", "bh1"}}, denoiser_), expected(kLn2));
  expect(states("unipc", {{"order", "1"}, {"corrector", "false"}}, denoiser_), states("bridge_ddim", {}, denoiser_));
}

TEST_F(HalvingTest, UniPcOfSecondOrder) {
  const double x1 = 0.5 * 8 + 0.5 * m0_, c1 = x1 + 0.25 * (m1_ - m0_);
  // bh2, r = (-1, 1): predictor 1/2 (m1 - m0) of B = 1/2; corrector by q1 + q2 = g1, q2 - q1 = g2.
  const double base = 0.5 * c1 + 0.5 * m1_, x2 = base + 0.25 * (m1_ - m0_);
  const double f1 = 0.5 / kLn2 - 1, g1 = -2 * f1, f2 = -f1 / kLn2 - 0.5, g2 = -4 * f2;
  const double q2 = (g1 + g2) / 2, q1 = (g1 - g2) / 2;
  const double c2 = base + 0.5 * (q1 * (m1_ - m0_) + q2 * (m2_ - m1_));
  expect(states("unipc", {}, denoiser_), {x1, x2, 0.5 * c2 + 0.5 * m2_});
}

TEST_F(HalvingTest, GhvbIsAdamsBashforthWithMomentum) {
  const FunctionDenoiser denoiser = known_eps(process_, [](double t) { return t == 4 ? 1.0 : t == 2 ? 3.0 : 2.5; });
  // dx/dc = eps: steps of -2, -1 and -1/2.
  expect(states("ghvb", {{"order", "1"}}, denoiser), {6, 3, 1.75});
  expect(states("ghvb", {}, denoiser), {6, 6 - (1.5 * 3 - 0.5 * 1), 2 - 0.5 * (1.5 * 2.5 - 0.5 * 3)});
  expect(states("ghvb", {{"order", "3"}}, denoiser), {6, 2, 2 - 0.5 * (23 * 2.5 - 16 * 3 + 5 * 1) / 12});
  // beta = 1/2: v = 1, 2, 2.25.
  expect(states("ghvb", {{"order", "1.5"}}, denoiser), {6, 6 - 3.5, 2.5 - 0.5 * (2.5 * 2.25 - 1.5 * 2)});
  expect(states("ghvb", {{"order", "0.5"}}, denoiser), {6, 4, 4 - 0.5 * 2.25});
}

TEST_F(HalvingTest, GhvbKeepsAConstantVelocity) {
  const FunctionDenoiser denoiser = known_eps(process_, [](double) { return 3.0; });
  ZeroNoise noise;
  for (const char* order : {"0.3", "1", "1.7", "2", "2.5", "3", "3.3", "4", "4.6", "5"}) {
    const at::Tensor end = run_sampler(
        component("ghvb", {{"order", order}, {"steps", "12"}, {"grid", "log_snr"}, {"final_state", "t_end"}}),
        number(0), process_, denoiser, noise);
    EXPECT_NEAR(end.item<double>(), -3.0 * 3.5, 1e-11) << order;
  }
}

TEST_F(HalvingTest, HeunTakesTheMeanOfBothSlopes) {
  std::vector<double> asked;
  const FunctionDenoiser denoiser([&](const at::Tensor& x, double t, const Condition&) {
    asked.push_back(t);
    return Estimates{x - t * at::full_like(x, t), at::full_like(x, t)};
  });
  // dx/dc = c: the mean of both ends is exact; the last step takes the first slope.
  expect(states("heun", {}, denoiser), {8 - 6.0, 2 - 1.5, 0.5 - 0.5});
  EXPECT_EQ(asked, (std::vector<double>{4, 2, 2, 1, 1}));
  EXPECT_EQ(make_sampler(component("heun", {{"times", "[4, 2, 1]"}}))->network_calls(), 5);
}

TEST_F(HalvingTest, HeunRaisesTheNoiseAsEdmDoes) {
  std::vector<double> asked;
  const FunctionDenoiser denoiser([&](const at::Tensor& x, double t, const Condition&) {
    asked.push_back(t);
    return Estimates{at::zeros_like(x), x / t};
  });
  const at::Tensor one = at::ones({1, 1, 1, 1});
  const auto run = [&](const Keys& more) {
    asked.clear();
    Keys keys = {{"times", "[4, 2]"}, {"final_state", "t_end"}, {"churn", "0.5"}};
    keys.insert(keys.end(), more.begin(), more.end());
    RecordedNoise noise({one, one, one});
    return run_sampler(component("heun", keys), number(0), process_, denoiser, noise).item<double>();
  };
  // gamma = 0.25 from c = 2: 2.5. At the start there is no noise above 4. eps = x / c makes x proportional to c.
  const double x1 = 4 * 2 / 4.0, raised = x1 + 1.5;
  EXPECT_NEAR(run({}), raised * 0.5 / 2.5, 1e-12);
  ASSERT_EQ(asked.size(), 3U);
  EXPECT_NEAR(asked[2], 2.5, 1e-12);
  EXPECT_NEAR(run({{"churn_noise", "2"}}), (x1 + 3.0) * 0.5 / 2.5, 1e-12);
  EXPECT_NEAR(run({{"churn_max", "1.9"}}), x1 / 4, 1e-12);
  EXPECT_NEAR(run({{"churn_min", "2.1"}}), x1 / 4, 1e-12);
  EXPECT_NEAR(run({{"churn", "9"}}), (x1 + 2.0) * 0.5 / (2 * std::sqrt(2.0)), 1e-12) << "gamma is at most sqrt(2) - 1";
}

TEST(Heun, AveragesX0WhereTheStateBeginsWithoutSignal) {
  // Along k = a / c the flow is d(x~ / c) = x0 dk: exact for x0 linear in k, from k = 0.
  const PlainProcess process = residual();
  const FunctionDenoiser denoiser = known_x0(process, [](double t) { return 0.3 + (1 - t) / t; });
  RecordedNoise noise({at::full({1, 1, 1, 1}, 0.8, at::kFloat)});
  at::Tensor state;
  run_sampler(component("heun", {{"times", "[1, 0.5]"}, {"final_state", "x0"}}), number(2), process, denoiser, noise,
              [&](std::int64_t step, const at::Tensor& x) {
                if (step == 0) state = x;
              });
  // k' = 2: x~ / c = z + 0.3 k' + k'^2 / 4 with z = 0.8 (float32), c' = 0.25, b' = 0.5.
  EXPECT_NEAR(state.item<double>(), 0.25 * (static_cast<double>(0.8F) + 0.6 + 1.0) + 0.5 * 2, 1e-12);
}

/// Every solver, the deterministic ones first.
std::vector<std::pair<std::string, Keys>> solvers() {
  return {{"bridge_ddim", {}},
          {"dpm_solver_pp", {{"order", "1"}}},
          {"dpm_solver_pp", {}},
          {"dpm_solver_pp", {{"order", "3"}}},
          {"heun", {{"grid", "uniform"}, {"final_state", "x0"}}},
          {"unipc", {{"order", "1"}}},
          {"unipc", {}},
          {"unipc", {{"order", "3"}, {"variant", "bh1"}}},
          {"unipc", {{"order", "3"}, {"corrector", "false"}}},
          {"ghvb", {{"order", "1.5"}}},
          {"ghvb", {{"order", "3"}}},
          {"dpm_solver_pp", {{"eta", "0.7"}}},
          {"heun", {{"churn", "3"}, {"grid", "uniform"}, {"final_state", "x0"}}}};
}

TEST(Solvers, RunOnTheShiftedBridgeAlone) {
  // The same a and c, with y and without: the states differ by b y, the results not at all.
  const PlainProcess with = anchored();
  const PlainProcess without(with.start, with.end, [&](double t) {
    const Marginal m = with.at(t);
    return Marginal{m.a, 0.0, m.c};
  });
  CounterNoise noise(8);
  const at::Tensor y = draw_like(noise, {"data", "y", 0}, at::empty({5, 1, 1, 1}, at::kDouble)), none;
  for (auto [name, keys] : solvers()) {
    keys.emplace_back("steps", "7");
    const at::Tensor found = run_sampler(component(name, keys), y, with, two_bumps(with), noise);
    const at::Tensor plain = run_sampler(component(name, keys), at::zeros_like(y), without, two_bumps(without), noise);
    EXPECT_TRUE(at::allclose(found, plain, 1e-9, 1e-9)) << name;
  }
}

TEST(Solvers, ReduceToDdim) {
  CounterNoise noise(9);
  for (const PlainProcess& process : {anchored(), residual(), crossing()}) {
    const GaussianMixtureOracle oracle = two_bumps(process);
    const at::Tensor y = number(0.5).expand({3, 1, 1, 1});
    for (const char* final_state : {"x0", "t_end", "denoise"}) {
      const auto run = [&](const char* name, Keys keys) {
        keys.insert(keys.end(), {{"steps", "6"}, {"final_state", final_state}});
        return run_sampler(component(name, keys), y, process, oracle, noise);
      };
      const at::Tensor ddim = run("bridge_ddim", {});
      EXPECT_TRUE(at::allclose(run("dpm_solver_pp", {{"order", "1"}}), ddim, 0, 1e-12));
      EXPECT_TRUE(at::allclose(run("ghvb", {{"order", "1"}}), ddim, 0, 1e-12));
      EXPECT_TRUE(at::allclose(run("unipc", {{"order", "1"}, {"corrector", "false"}}), ddim, 0, 1e-12));
      EXPECT_TRUE(at::allclose(run("dpm_solver_pp", {{"order", "1"}, {"eta", "1"}}), run("bridge_ddim", {{"eta", "1"}}),
                               0, 1e-12));
      EXPECT_FALSE(at::allclose(run("dpm_solver_pp", {}), ddim, 0, 1e-6));
    }
  }
}

TEST(Solvers, TaylorIsExactForX0LinearInTheLogSnr) {
  const PlainProcess process = exploding(4.0, 0.1);
  const FunctionDenoiser denoiser = known_x0(process, [](double t) { return 1 - 2 * std::log(t); });
  // With u = ln(1/c): d(x e^u)/du = (1 + 2u) e^u, so x / c changes by [(2u - 1) e^u].
  const auto primitive = [](double c) { return (-2 * std::log(c) - 1) / c; };
  std::vector<double> states;
  ZeroNoise noise;
  run_sampler(component("dpm_solver_pp", {{"variant", "taylor"},
                                          {"lower_order_final", "no"},
                                          {"times", "[4, 3, 0.7, 0.2]"},
                                          {"final_state", "t_end"}}),
              number(0), process, denoiser, noise,
              [&](std::int64_t, const at::Tensor& x) { states.push_back(x.item<double>()); });
  // The first step is of first order; the others are exact from where it ended.
  ASSERT_EQ(states.size(), 4U);
  EXPECT_NEAR(states[1] / 0.7, states[0] / 3 + primitive(0.7) - primitive(3), 1e-12);
  EXPECT_NEAR(states[3] / 0.1, states[0] / 3 + primitive(0.1) - primitive(3), 1e-11);
}

TEST(Solvers, TakeMapsOfCoefficients) {
  // Pixels with a noise level each are four processes side by side.
  CounterNoise noise(12);
  const PlainProcess map = uneven();
  const at::Tensor y = draw_like(noise, {"data", "y", 0}, at::empty({2, 1, 2, 2}, at::kDouble));
  const auto denoiser = [](const Process& process) {
    return FunctionDenoiser([&process](const at::Tensor& x, double t, const Condition& condition) {
      // Each pixel by itself: E[x0] of a Gaussian, bent by a sine so that no solver is exact.
      const Marginal m = process.at(t);
      const at::Tensor e = x - m.b * condition.y, v = m.a.value.square() * 0.09 + m.c.value.square();
      const at::Tensor x0 = Coef(m.a.value * 0.09 / v) * e + 0.1 * at::sin(3 * e);
      return estimates_from(Target::kX0, x0, x, condition.y, m, {});
    });
  };
  for (auto [name, keys] : solvers()) {
    keys.insert(keys.end(), {{"steps", "6"}, {"final_state", "t_end"}});
    const at::Tensor whole = run_sampler(component(name, keys), y, map, denoiser(map), noise);
    if (name == "heun" && keys.front().first == "churn") continue;  // the raised time is that of the mean
    for (std::int64_t i = 0; i < 4; ++i) {
      const double scale = 0.4 + 0.2 * static_cast<double>(i);
      const PlainProcess one(1.0, 1e-3, [&](double t) {
        return Marginal{1 - 0.99 * t, 0.99 * t, 0.5 * std::sqrt(t) * scale};
      });
      const at::Tensor found = run_sampler(component(name, keys), y, one, denoiser(one), noise);
      const auto pixel = [&](const at::Tensor& x) { return x.flatten(1).select(1, i); };
      EXPECT_TRUE(at::allclose(pixel(found), pixel(whole), 1e-10, 1e-10)) << name << " pixel " << i;
    }
  }
}

TEST(Solvers, StartWithoutSignalAndEndWithoutNoise) {
  // x0 is known: whatever the grid, nothing is left of y, of the noise, or of a vanishing coefficient.
  for (const PlainProcess& process : {residual(), crossing(), pinned()})
    for (auto [name, keys] : solvers())
      for (const char* grid : {"uniform", "trailing", "quadratic", "log_snr", "karras"})
        for (const char* final_state : {"x0", "t_end", "denoise"}) {
          Keys all = {{"steps", "5"}, {"grid", grid}, {"final_state", final_state}};
          for (const auto& key : keys)
            if (key.first != "grid" && key.first != "final_state") all.push_back(key);
          CounterNoise noise(3);
          const at::Tensor found = run_sampler(component(name, all), number(2), process,
                                               known_x0(process, [](double) { return -0.5; }), noise);
          const double noise_left = process.at(process.end).c.scalar();
          EXPECT_NEAR(found.item<double>(), -0.5, 1e-9 + (std::string(final_state) == "t_end" ? 4 * noise_left : 0))
              << name << " " << grid << " " << final_state;
        }
}

TEST(Solvers, StochasticOnesSpreadLikeTheData) {
  const PlainProcess process = exploding(20.0, 0.01);
  CounterNoise noise(21);
  const at::Tensor y = number(0).expand({1, 1, 120, 120});
  const GaussianMixtureOracle one({{1.0, number(-0.5), 0.3}}, process);
  const auto spread = [&](const char* name, Keys keys) {
    keys.insert(keys.end(), {{"final_state", "t_end"}, {"steps", "60"}, {"grid", "log_snr"}});
    const at::Tensor x = run_sampler(component(name, keys), y, process, one, noise);
    return std::pair(x.mean().item<double>(), x.std().item<double>());
  };
  for (const auto& [name, keys] :
       std::vector<std::pair<const char*, Keys>>{{"dpm_solver_pp", {{"eta", "1"}}},
                                                 {"dpm_solver_pp", {{"eta", "0.4"}}},
                                                 {"dpm_solver_pp", {{"eta", "1"}, {"order", "3"}}},
                                                 {"heun", {{"churn", "10"}}}}) {
    const auto [mean, deviation] = spread(name, keys);
    EXPECT_NEAR(deviation, 0.3, 0.006) << name;
    EXPECT_NEAR(mean, -0.5, 0.01) << name;
  }
}

TEST(Ghvb, StaysStableFurtherTheLowerItsOrder) {
  // dx/dc = r x over even steps in c: the largest r h for which the state does not grow.
  const PlainProcess process = exploding(1.0, 0.0);
  const auto grows = [&](const std::string& order, double rate) {
    const FunctionDenoiser denoiser([&](const at::Tensor& x, double t, const Condition&) {
      return Estimates{x - t * (rate * x), rate * x};
    });
    RecordedNoise noise({at::ones({1, 1, 1, 1})});
    const Keys keys = {{"order", order}, {"steps", "400"}, {"final_state", "t_end"}};
    try {
      return std::abs(run_sampler(component("ghvb", keys), number(0), process, denoiser, noise).item<double>()) > 1;
    } catch (const Error&) {
      return true;  // not finite
    }
  };
  const auto largest = [&](const std::string& order) {
    double low = 0.0, high = 10.0;
    for (int i = 0; i < 12; ++i) {
      const double middle = (low + high) / 2;
      (grows(order, middle * 400) ? high : low) = middle;
    }
    return low;
  };
  // Euler: |1 - h r| <= 1; Adams-Bashforth of order 2: h r <= 1, of order 3: 6/11.
  EXPECT_NEAR(largest("1"), 2.0, 0.02);
  EXPECT_NEAR(largest("2"), 1.0, 0.02);
  EXPECT_NEAR(largest("3"), 6.0 / 11, 0.02);
  EXPECT_GT(largest("1.5"), largest("1.8"));
  EXPECT_GT(largest("1.8"), largest("2") + 0.02);
  EXPECT_GT(largest("2.3"), largest("3") + 0.02);
}

TEST(Solvers, SayWhatIsWrong) {
  const struct {
    const char* name;
    Keys keys;
    const char* message;
  } cases[] = {{"dpm_solver_pp", {{"order", "4"}}, "sampler.order must be in 1 to 3, got 4"},
               {"dpm_solver_pp", {{"variant", "bh1"}}, "sampler.variant must be one of midpoint, taylor, got 'bh1'"},
               {"dpm_solver_pp", {{"eta", "2"}}, "sampler.eta must be in [0, 1], got 2"},
               {"dpm_solver_pp",
                {{"lower_order_final", "maybe"}},
                "sampler.lower_order_final must be one of auto, yes, no, got 'maybe'"},
               {"unipc", {{"order", "0"}}, "sampler.order must be in 1 to 3, got 0"},
               {"unipc", {{"variant", "bh3"}}, "sampler.variant must be one of bh1, bh2, got 'bh3'"},
               {"ghvb", {{"order", "0"}}, "sampler.order must be in (0, 5], got 0"},
               {"ghvb", {{"order", "5.1"}}, "sampler.order must be in (0, 5], got 5.1"},
               {"heun", {{"churn", "-1"}}, "sampler.churn must be >= 0, got -1"},
               {"heun",
                {{"churn_min", "2"}, {"churn_max", "1"}},
                "sampler.churn_min must be >= 0 and <= churn_max, got 2 and 1"},
               {"heun", {{"churn_noise", "-1"}}, "sampler.churn_noise must be >= 0, got -1"}};
  for (const auto& one : cases) {
    const auto [code, message] = error_of([&] { make_sampler(component(one.name, one.keys)); });
    EXPECT_EQ(code, Errc::kUsage);
    EXPECT_EQ(message, one.message);
  }
}

}  // namespace
}  // namespace reseda::diffusion
