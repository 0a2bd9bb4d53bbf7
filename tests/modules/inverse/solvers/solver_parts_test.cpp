// Times, weights, Adam and the watch over a run that the solvers share.
#include <cmath>
#include <limits>
#include <numeric>

#include "modules/inverse/solvers/adam_step.hpp"
#include "modules/inverse/solvers/decorrelation.hpp"
#include "modules/inverse/solvers/noise_weight.hpp"
#include "modules/inverse/solvers/solver_run.hpp"
#include "modules/inverse/solvers/solver_times.hpp"
#include "modules/inverse/solvers/traced_estimates.hpp"
#include "tests/modules/inverse/solvers/small_problem.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::inverse {
namespace {

using tests::expect_error;
using Steps = std::vector<std::int64_t>;

TEST(SolverTimes, EvenStepsAreAsManyAsAskedForAndReachTheEnd) {
  EXPECT_EQ(table_steps({.steps = 5}, 1000), (Steps{800, 600, 400, 200, 0}));
  EXPECT_EQ(table_steps({.steps = 3, .start_step = 1000, .end_step = 500}, 1000), (Steps{833, 666, 500}));
  EXPECT_EQ(table_steps({.steps = 700}, 1000).size(), 700U);
  EXPECT_EQ(table_steps({.steps = 7}, 7), (Steps{6, 5, 4, 3, 2, 1, 0}));
}

TEST(SolverTimes, StridedStepsAreMoreWhereTheStrideDoesNotDivide) {
  const auto strided = [](std::int64_t steps, std::int64_t start, std::int64_t end) {
    return SolverTimesConfig{.steps = steps, .grid = "strided", .start_step = start, .end_step = end};
  };
  EXPECT_EQ(table_steps(strided(5, 0, 0), 1000), (Steps{800, 600, 400, 200, 0}));
  EXPECT_EQ(table_steps(strided(300, 0, 0), 1000).size(), 334U);
  EXPECT_EQ(table_steps(strided(700, 0, 0), 1000).size(), 1000U);
  EXPECT_EQ(table_steps(strided(6, 1000, 0), 1000), (Steps{996, 830, 664, 498, 332, 166, 0}));
  EXPECT_EQ(strided(6, 1000, 0).calls(), 7);
  EXPECT_EQ(strided(6, 0, 0).calls(), -1);
  EXPECT_EQ(SolverTimesConfig{.steps = 6}.calls(), 6);
}

TEST(SolverTimes, FollowTheProcess) {
  const auto process = table_process(25);
  const std::vector<SolverTime> times = solver_times({.steps = 5}, *process);
  ASSERT_EQ(times.size(), 5U);
  EXPECT_EQ(times.front().t, 0.84);
  EXPECT_EQ(times.back().t, 0.04);
  EXPECT_EQ(times.front().a, process->at(0.84).a.scalar());
  EXPECT_EQ(times.front().c, process->at(0.84).c.scalar());
  EXPECT_DOUBLE_EQ(times.front().ratio(), times.front().c / times.front().a);
  const std::vector<SolverTime> smooth = solver_times({.steps = 2}, diffusion::exploding(2.0, 1.0));
  EXPECT_EQ(smooth[0].c, 2.0);
  EXPECT_EQ(smooth[1].c, 1.5);
}

TEST(SolverTimes, RefuseWhatDoesNotFit) {
  const auto process = table_process(25);
  expect_error(Errc::kUsage, "solver.steps must be at most start_step - end_step = 25, got 26",
               [&] { solver_times({.steps = 26}, *process); });
  expect_error(Errc::kUsage, "solver.start_step must be in solver.end_step + 1 = 4 to 25, got 3",
               [&] { solver_times({.steps = 1, .start_step = 3, .end_step = 3}, *process); });
  expect_error(Errc::kUsage, "grid strided needs a process with a table",
               [&] { solver_times({.steps = 2, .grid = "strided"}, diffusion::exploding()); });
  expect_error(Errc::kUsage, "adds the measurement", [&] { solver_times({.steps = 2}, diffusion::anchored()); });
  expect_error(Errc::kUsage, "start_step and end_step need grid even or strided",
               [&] { solver_times({.steps = 2, .grid = "uniform", .start_step = 5}, *process); });
}

TEST(JumpWeights, KeepTheVarianceOfTheNextTime) {
  const SolverTime from = {0.5, 0.6, 0.8}, to = {0.4, 0.8, 0.6};
  EXPECT_EQ(jump_weights(from, to, 0.0).eps, 0.6);
  EXPECT_EQ(jump_weights(from, to, 0.0).noise, 0.0);
  const JumpWeights half = jump_weights(from, to, 0.5);
  // eta c' sqrt(1 - (a c' / (a' c))^2) = 0.5 0.6 sqrt(1 - 0.5625^2)
  EXPECT_NEAR(half.noise, 0.3 * std::sqrt(1 - 0.5625 * 0.5625), 1e-12);
  EXPECT_NEAR(half.eps * half.eps + half.noise * half.noise, 0.36, 1e-12);
  EXPECT_EQ(jump_weights(from, kClean, 1.0).noise, 0.0);
  EXPECT_EQ(jump_weights(from, kClean, 1.0).eps, 0.0);
}

TEST(NoiseWeight, HasTheOfficialShapes) {
  for (const char* name : {"linear", "sqrt", "square", "trunc_linear", "power2over3", "const"})
    EXPECT_DOUBLE_EQ(noise_weight(name, 1.0), 1.0) << name;
  EXPECT_DOUBLE_EQ(noise_weight("log", 1.0), std::log(2.0));
  EXPECT_DOUBLE_EQ(noise_weight("linear", 8.0), 8.0);
  EXPECT_DOUBLE_EQ(noise_weight("sqrt", 9.0), 3.0);
  EXPECT_DOUBLE_EQ(noise_weight("square", 3.0), 9.0);
  EXPECT_DOUBLE_EQ(noise_weight("trunc_linear", 0.25), 0.25);
  EXPECT_DOUBLE_EQ(noise_weight("trunc_linear", 8.0), 1.0);
  EXPECT_DOUBLE_EQ(noise_weight("power2over3", 8.0), 4.0);
  expect_error(Errc::kUsage, "solver.denoise_term_weight must be one of linear",
               [] { require_noise_weight("power2"); });
}

TEST(AdamStep, TakesThreeStepsAsWorkedOutByHand) {
  // g = 2, 1, -3: m = .2, .28, -.048; v = .04, .0496, .139104.
  const double lr = 0.1, gradients[] = {2, 1, -3};
  double x = 1, m = 0, v = 0;
  AdamStep adam;
  at::Tensor found = at::ones({1}, at::kDouble);
  for (int k = 1; k <= 3; ++k) {
    m = 0.9 * m + 0.1 * gradients[k - 1];
    v = 0.99 * v + 0.01 * gradients[k - 1] * gradients[k - 1];
    x -= lr / (1 - std::pow(0.9, k)) * m / (std::sqrt(v) / std::sqrt(1 - std::pow(0.99, k)) + 1e-8);
    found = adam(found, at::full({1}, gradients[k - 1], at::kDouble), lr);
    EXPECT_NEAR(found.item<double>(), x, 1e-12) << k;
  }
  EXPECT_NEAR(m, -0.048, 1e-15);
  EXPECT_NEAR(v, 0.139104, 1e-15);
}

TEST(AdamStep, FirstMovesByTheRateWhateverTheScaleButForEpsilon) {
  for (const double scale : {1.0, 1e-3, 1e-6}) {
    AdamStep adam;
    const at::Tensor moved = adam(at::zeros({2}, at::kDouble), scale * at::tensor({3.0, -4.0}, at::kDouble), 0.5);
    const at::Tensor g = scale * at::tensor({3.0, 4.0}, at::kDouble);
    const at::Tensor expected = 0.5 * g / (g + 1e-8) * at::tensor({-1.0, 1.0}, at::kDouble);
    EXPECT_LT(largest(moved - expected), 1e-12);
  }
}

TEST(AdamStep, TakesComplexValuesAsPairs) {
  AdamStep complex, real;
  const at::Tensor x = at::tensor({1.0, 2.0, 3.0, 4.0}, at::kDouble).reshape({2, 2}), g = at::flip(x, {0, 1}) - 2.5;
  for (int k = 0; k < 2; ++k) {
    const at::Tensor pairs = real(x, g, 0.1);
    const at::Tensor found = complex(at::view_as_complex(x), at::view_as_complex(g.contiguous()), 0.1);
    EXPECT_TRUE(at::equal(at::view_as_real(found), pairs));
  }
}

TEST(ScheduledRate, FallsByAHalfCosine) {
  EXPECT_EQ(scheduled_rate(0.3, "constant", 7, 10), 0.3);
  EXPECT_EQ(scheduled_rate(0.3, "cosine", 0, 10), 0.3);
  EXPECT_NEAR(scheduled_rate(0.3, "cosine", 5, 10), 0.15, 1e-15);
}

TEST(TracedEstimates, PullGradientsBackThroughTheDenoiser) {
  const auto process = table_process();
  const at::Tensor mu = at::full({1, 1, 1, 1}, 0.3, at::kDouble), x = at::randn({2, 1, 2, 2}, at::kDouble),
                   v = at::randn_like(x);
  const diffusion::GaussianOracle oracle(mu, 0.5, *process);
  const TracedEstimates traced(oracle, x, 0.5);
  const diffusion::Marginal m = process->at(0.5);
  const double a = m.a.scalar(), c = m.c.scalar(), gain = a * 0.25 / (a * a * 0.25 + c * c);
  EXPECT_LT(largest(traced.pull_back(v) - gain * v), 1e-12);
  EXPECT_FALSE(traced.values().x0.requires_grad());
  const diffusion::GaussianOracle known(mu, 0.0, *process);
  EXPECT_EQ(largest(TracedEstimates(known, x, 0.5).pull_back(v)), 0.0);
}

TEST(Decorrelation, SeesConstantsAndNotWhiteNoise) {
  const at::Tensor noise = at::randn({1, 1, 64, 64}, at::kDouble);
  const Decorrelation flat = decorrelation(at::ones({2, 1, 8, 8}, at::kDouble));
  // Both axes at the sides 8, 4 and 2, each mean being 1.
  EXPECT_DOUBLE_EQ(flat.value[1].item<double>(), 6.0);
  EXPECT_LT(decorrelation(noise).value.item<double>(), 0.1);
  // By hand on [1, -1]: both shifts of one row; height alone counts a row's square with itself.
  const at::Tensor row = at::tensor({1.0, -1.0}, at::kDouble).reshape({1, 1, 1, 2});
  EXPECT_DOUBLE_EQ(decorrelation(row).value.item<double>(), 2.0);
  const double h = 1e-5;
  at::Tensor up = noise.clone(), down = noise.clone();
  up[0][0][3][4] += h;
  down[0][0][3][4] -= h;
  const double slope = (decorrelation(up).value - decorrelation(down).value).item<double>() / (2 * h);
  EXPECT_NEAR(decorrelation(noise).gradient[0][0][3][4].item<double>(), slope, 1e-8);
}

/// A run whose residuals are given, of a batch of one.
std::pair<Errc, std::string> watched(const std::vector<double>& residuals) {
  ZeroNoise noise;
  diffusion::SampleContext sample{.noise = noise, .item = "scan", .on_step = {}, .trace = {}};
  SolveContext context{.sample = sample, .sigma_y = 0.0, .on_step = {}};
  const at::Tensor y = at::ones({1, 4}, at::kDouble);
  return error_of([&] {
    SolverRun run("pgdm", static_cast<std::int64_t>(residuals.size()), y, context);
    for (std::size_t k = 0; k < residuals.size(); ++k)
      run.after({.step = static_cast<std::int64_t>(k),
                 .t = 0.5,
                 .residual = at::full({1}, residuals[k], at::kDouble),
                 .state = at::ones({1, 1, 2, 2}, at::kDouble)});
  });
}

TEST(SolverRun, EndsWhatDivergesWithATrace) {
  EXPECT_EQ(watched({3, 2, 1}).second, "");
  EXPECT_EQ(watched({3, 2900, 1}).second, "") << "it came down again";
  const auto [code, message] = watched({3, 50, 4000});
  EXPECT_EQ(code, Errc::kNumeric);
  EXPECT_EQ(Error(code, message).exit_code(), 7);
  EXPECT_EQ(message,
            "scan: pgdm diverged by step 3 of 3: the residual |y - H(x)| of item 0 of the batch keeps growing: 3, 50, "
            "4000");
  std::vector<double> lost(25, 1.0);
  lost[8] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_NE(watched(lost).second.find("diverged by step 10 of 25: the residual |y - H(x)| of item 0 of the batch is "
                                      "not finite"),
            std::string::npos)
      << watched(lost).second;
  EXPECT_NE(watched(lost).second.find("(every 2 steps)"), std::string::npos);
}

}  // namespace
}  // namespace reseda::inverse
