#include <c10/core/GradMode.h>

#include <cmath>

#include "modules/diffusion/batch_noise.hpp"
#include "tests/modules/inverse/solvers/small_problem.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::inverse {
namespace {

using diffusion::GaussianOracle;
using tests::expect_error;

class RedDiff : public testing::Test {
 protected:
  at::Tensor draw(const char* stream, at::IntArrayRef shape = {2, 1, 4, 4}) {
    return diffusion::draw_like(noise_, {"data", stream, 0}, at::empty(shape, at::kDouble));
  }
  at::Tensor run(const std::string& name, const Keys& keys, const Setting& setting = {}) {
    return solve(component(name, keys), y_, *op_, *process_, oracle_, noise_, setting);
  }
  at::Tensor red_diff(Keys keys, const Setting& setting = {}) {
    keys.emplace_back("steps", "5");
    return run("red_diff", keys, setting);
  }

  CounterNoise noise_{5};
  std::unique_ptr<diffusion::Process> process_ = table_process();
  std::unique_ptr<ForwardOperator> op_ = make_operator(component("super_resolution", {{"factor", "2"}}), {1, 4, 4});
  at::Tensor mu_ = 0.4 * draw("mean").narrow(0, 0, 1),
             y_ = op_->apply(mu_ + 0.5 * draw("truth")) + 0.1 * draw("n", {2, 1, 2, 2});
  GaussianOracle oracle_{mu_, 0.5, *process_};
};

TEST_F(RedDiff, TakesItsFirstStepAsTheEquationsSay) {
  SolverStep step;
  const at::Tensor start = draw("start");
  const at::Tensor found = run("red_diff",
                               {{"steps", "1"},
                                {"start_step", "30"},
                                {"end_step", "29"},
                                {"lr", "0.3"},
                                {"obs_weight", "0.7"},
                                {"grad_term_weight", "0.2"},
                                {"denoise_term_weight", "sqrt"},
                                {"sigma_x0", "0.05"}},
                               {.start = start, .on_step = [&](const SolverStep& s) { step = s; }});
  const double t = 0.6, a = process_->at(t).a.scalar(), c = process_->at(t).c.scalar();
  const auto drawn = [&](const char* stream) { return diffusion::draw_like(noise_, {"item", stream, 0}, start); };
  const at::Tensor x = start + 0.05 * drawn("estimate"), n = drawn("state");
  // The oracle's noise: c (x_t - a mu) / (a^2 d^2 + c^2).
  const at::Tensor eps = c * (a * x + c * n - a * mu_) / (a * a * 0.25 + c * c);
  const double weight = 0.2 * std::sqrt(c / a);
  const at::Tensor error = y_ - op_->apply(x);
  const at::Tensor gradient = weight * (eps - n) / 16 - 0.7 / 4 * op_->adjoint(error);
  EXPECT_LT(largest(step.gradient - gradient), 1e-12);
  EXPECT_EQ(step.t, t);
  EXPECT_LT(largest(step.estimate - x), 1e-12);
  EXPECT_LT(largest(step.residual - error.square().flatten(1).sum(1).sqrt()), 1e-12);
  const at::Tensor loss = weight / 16 * ((eps - n) * x).flatten(1).sum(1) + 0.7 / 8 * error.square().flatten(1).sum(1);
  EXPECT_LT(largest(step.loss - loss), 1e-12);
  EXPECT_LT(largest(found - (start - 0.3 * gradient / (gradient.abs() + 1e-8))), 1e-9);
}

TEST_F(RedDiff, ReturnsTheLastImageOrTheOneBefore) {
  std::vector<SolverStep> steps;
  const Setting setting{.on_step = [&](const SolverStep& s) { steps.push_back(s); }};
  const at::Tensor last = red_diff({}, setting);
  EXPECT_TRUE(at::equal(last, steps.back().state));
  const at::Tensor before = red_diff({{"returns", "before_last_step"}, {"sigma_x0", "0.1"}}, setting);
  EXPECT_TRUE(at::equal(before, steps.back().estimate));
}

TEST_F(RedDiff, BeginsWhereItIsTold) {
  const auto first = [&](Keys keys, const Setting& given) {
    at::Tensor estimate;
    Setting setting = given;
    setting.on_step = [&](const SolverStep& s) {
      if (s.step == 0) estimate = s.estimate;
    };
    red_diff(std::move(keys), setting);
    return estimate;
  };
  const at::Tensor start = draw("start");
  EXPECT_TRUE(at::equal(first({}, {.start = start}), start));
  EXPECT_TRUE(at::equal(first({}, {}), op_->pseudo_inverse(y_)));
  EXPECT_TRUE(at::equal(first({{"init", "pseudo_inverse"}}, {.start = start}), op_->pseudo_inverse(y_)));
  EXPECT_EQ(largest(first({{"init", "zero"}}, {.start = start})), 0.0);
  EXPECT_TRUE(at::equal(first({{"init", "noise"}}, {.start = start}),
                        diffusion::draw_like(noise_, {"item", "prior", 0}, start)));
}

TEST_F(RedDiff, WalksTheTimesInTheOrderAskedFor) {
  const auto times = [&](const Keys& keys) {
    std::vector<double> seen;
    red_diff(keys, {.on_step = [&](const SolverStep& s) { seen.push_back(s.t); }});
    return seen;
  };
  const std::vector<double> falling = times({});
  std::vector<double> rising = times({{"order", "ascend"}}), mixed = times({{"order", "random"}});
  EXPECT_EQ(falling, (std::vector<double>{0.82, 0.62, 0.42, 0.22, 0.02}));
  EXPECT_EQ(mixed, times({{"order", "random"}}));
  EXPECT_NE(mixed, times({{"order", "random"}, {"order_seed", "1"}}));
  std::reverse(rising.begin(), rising.end());
  EXPECT_EQ(rising, falling);
  EXPECT_NE(mixed, falling);
  std::sort(mixed.rbegin(), mixed.rend());
  EXPECT_EQ(mixed, falling);
}

TEST_F(RedDiff, DependsOnTheBatchInTheOfficialFormAlone) {
  const auto alone = [&](const Keys& keys) {
    diffusion::BatchNoise each(noise_, {"item"});
    return solve(component("red_diff", keys), y_.narrow(0, 0, 1), *op_, *process_, oracle_, each);
  };
  const auto together = [&](const Keys& keys) {
    diffusion::BatchNoise each(noise_, {"item", "other"});
    return solve(component("red_diff", keys), y_, *op_, *process_, oracle_, each)[0];
  };
  // Weak terms bring gradients down to Adam's epsilon, where their scale matters.
  const auto keys = [](const char* loss) {
    return Keys{{"loss", loss}, {"steps", "5"}, {"obs_weight", "1e-7"}, {"grad_term_weight", "1e-7"}};
  };
  for (const char* loss : {"per_item", "sum"})
    EXPECT_TRUE(at::equal(alone(keys(loss))[0], together(keys(loss)))) << loss;
  EXPECT_TRUE(at::equal(alone(keys("official")), alone(keys("per_item")))) << "for a batch of one they are the same";
  EXPECT_GT(largest(alone(keys("official"))[0] - together(keys("official"))), 1e-3);
}

TEST_F(RedDiff, IsScoreDistillationWithoutTheMeasurement) {
  const Keys keys = {{"steps", "5"}, {"init", "noise"}, {"grad_term_weight", "1"}};
  Keys without = keys;
  without.emplace_back("obs_weight", "0");
  EXPECT_TRUE(at::equal(run("sds", keys), run("red_diff", without)));
  const at::Tensor before = run("sds", keys);
  y_ = y_ + 1.0;
  EXPECT_TRUE(at::equal(run("sds", keys), before));
}

TEST_F(RedDiff, IsLeastSquaresByAdamWithoutThePrior) {
  const at::Tensor found =
      run("red_diff",
          {{"steps", "50"}, {"grad_term_weight", "0"}, {"lr", "0.02"}, {"init", "zero"}, {"lr_schedule", "cosine"}});
  EXPECT_LT(largest(y_ - op_->apply(found)), 0.6 * largest(y_));
  // In the null space nothing moved: every pixel of a block is the same.
  EXPECT_LT(largest(found - op_->pseudo_inverse(op_->apply(found))), 1e-9);
}

TEST_F(RedDiff, InGroupsTakesTheMeanOfTheirGradients) {
  std::vector<SolverStep> pairs;
  run("red_diff_parallel", {{"steps", "5"}, {"group", "2"}, {"sigma_x0", "0"}, {"obs_weight", "0"}},
      {.on_step = [&](const SolverStep& s) { pairs.push_back(s); }});
  ASSERT_EQ(pairs.size(), 3U);
  EXPECT_EQ(pairs[1].t, 0.42);
  const at::Tensor start = op_->pseudo_inverse(y_);
  at::Tensor expected = at::zeros_like(start);
  for (const std::int64_t j : {0, 1}) {
    const double t = j == 0 ? 0.82 : 0.62, a = process_->at(t).a.scalar(), c = process_->at(t).c.scalar();
    const at::Tensor n = diffusion::draw_like(noise_, {"item", "state", static_cast<std::uint32_t>(j)}, start);
    expected = expected + 0.5 * 0.25 * c / a * (c * (a * start + c * n - a * mu_) / (a * a * 0.25 + c * c) - n) / 16;
  }
  EXPECT_LT(largest(pairs[0].gradient - expected), 1e-12);
}

TEST_F(RedDiff, StopsShortOfTheLastTimesAsTheOfficialParallelFormDoes) {
  std::vector<double> seen;
  const Setting setting{.on_step = [&](const SolverStep& s) { seen.push_back(s.t); }};
  run("red_diff_parallel", {{"steps", "8"}, {"grid", "strided"}, {"whole_groups_only", "true"}}, setting);
  ASSERT_EQ(seen.size(), 8U) << "of 9 at a stride of 6";
  EXPECT_DOUBLE_EQ(seen.back(), 7.0 / 50);
}

TEST_F(RedDiff, OverwritesTheMeasurementOnlyWhenAskedTo) {
  op_ = make_operator(component("blur", {{"boundary", "periodic"}}), {1, 4, 4});
  y_ = draw("y");
  std::vector<at::Tensor> kept, lost;
  red_diff({}, {.start = y_, .on_step = [&](const SolverStep& s) { kept.push_back(s.residual); }});
  std::vector<SolverStep> steps;
  red_diff({{"overwrite_measurement", "true"}},
           {.start = y_, .on_step = [&](const SolverStep& s) { steps.push_back(s); }});
  EXPECT_TRUE(at::equal(steps[0].residual, kept[0]));
  EXPECT_LT(largest(steps[1].residual - item_norm(steps[0].state - op_->apply(steps[0].state))), 1e-12);
  EXPECT_GT(largest(steps[1].residual - kept[1]), 1e-3);
}

/// Where the prior's term is c (mu - m) / (d^2 + c^2) w and the noise is silent, the optimum is the posterior's mean.
TEST_F(RedDiff, FindsThePosteriorsMeanOfALinearGaussianProblem) {
  const double d = 0.5, sigma = 0.1, c = 1.0;
  const diffusion::PlainProcess process = diffusion::exploding(c, c - 1e-6);
  const GaussianOracle oracle(mu_, d, process);
  ZeroNoise silent;
  const at::Tensor found =
      solve(component("red_diff", {{"steps", "1500"},
                                   {"lr", "0.05"},
                                   {"lr_schedule", "cosine"},
                                   {"loss", "sum"},
                                   {"denoise_term_weight", "const"},
                                   {"obs_weight", number_text(1 / (sigma * sigma))},
                                   {"grad_term_weight", number_text((d * d + c * c) / (c * d * d))}}),
            y_, *op_, process, oracle, silent);
  EXPECT_LT(largest(found - posterior_mean(*op_, y_, mu_, d, sigma)), 1e-4);
  EXPECT_GT(largest(op_->pseudo_inverse(y_) - found), 0.1);
}

/// With the noise drawn, the stochastic gradients scatter around the same optimum.
TEST_F(RedDiff, StaysNearThatMeanWithNoise) {
  const double d = 0.5, sigma = 0.1, c = 1.0;
  const diffusion::PlainProcess process = diffusion::exploding(c, c - 1e-6);
  const GaussianOracle oracle(mu_, d, process);
  const at::Tensor found =
      solve(component("red_diff", {{"steps", "4000"},
                                   {"lr", "0.02"},
                                   {"lr_schedule", "cosine"},
                                   {"loss", "sum"},
                                   {"denoise_term_weight", "const"},
                                   {"obs_weight", number_text(1 / (sigma * sigma))},
                                   {"grad_term_weight", number_text((d * d + c * c) / (c * d * d))}}),
            y_, *op_, process, oracle, noise_);
  EXPECT_LT(largest(found - posterior_mean(*op_, y_, mu_, d, sigma)), 0.05);
}

TEST_F(RedDiff, NeedsNoGradientsOfTheNetwork) {
  const diffusion::FunctionDenoiser watching([&](const at::Tensor& x, double t, const diffusion::Condition& condition) {
    EXPECT_FALSE(c10::GradMode::is_enabled());
    EXPECT_FALSE(condition.y.defined());
    return oracle_(x, t, condition);
  });
  solve(component("red_diff", {{"steps", "2"}}), y_, *op_, *process_, watching, noise_);
}

TEST_F(RedDiff, RefusesSettingsByName) {
  for (const auto& [key, value, text] :
       {std::tuple("lr", "0", "solver.lr must be > 0, got 0"),
        {"loss", "mean", "solver.loss must be one of per_item"},
        {"order", "up", "solver.order must be one of descend"},
        {"sigma_x0", "-1", "solver.sigma_x0 must be >= 0, got -1"},
        {"denoise_term_weight", "power2", "solver.denoise_term_weight must be one of linear"},
        {"steps", "0", "solver.steps must be in 1 to 100000, got 0"},
        {"init", "none", "solver.init must be one of given"}})
    expect_error(Errc::kUsage, text, [&] { make_solver(component("red_diff", {{key, value}})); });
}

TEST_F(RedDiff, WithADeviationMovesItByTheSameRate) {
  std::vector<SolverStep> steps;
  run("sds_var", {{"steps", "2"}, {"lr", "0.1"}}, {.on_step = [&](const SolverStep& s) { steps.push_back(s); }});
  const at::Tensor like = steps[0].state;
  const auto drawn = [&](const char* stream, std::uint32_t k) {
    return diffusion::draw_like(noise_, {"item", stream, k}, like);
  };
  const at::Tensor first =
      0.1 * diffusion::draw_like(noise_, {"item", "deviation", 0}, at::empty({2}, at::kDouble)).abs();
  const at::Tensor mu = drawn("prior", 0), x = mu + per_item(first, mu) * drawn("estimate", 0);
  EXPECT_LT(largest(steps[0].estimate - x), 1e-12);
  const double t = 0.52, a = process_->at(t).a.scalar(), c = process_->at(t).c.scalar(), r = c / a;
  ASSERT_DOUBLE_EQ(steps[0].t, t);
  const at::Tensor h = (1 + first.square() / (r * r)).sqrt(), n = drawn("state", 0);
  const at::Tensor pull = c * (a * x + c * n - a * mu_) / (a * a * 0.25 + c * c) - n / per_item(h, n);
  EXPECT_LT(largest(steps[0].gradient - pull / 16), 1e-12);
  const at::Tensor slope = 2 * r / h / r * first * (n * pull).flatten(1).sum(1);
  EXPECT_LT(largest(steps[0].loss - (mu * pull / 16).flatten(1).sum(1) - slope * first), 1e-10);
  const at::Tensor moved = (first - 0.1 * slope / (slope.abs() + 1e-8)).abs();
  const at::Tensor again = steps[0].state + per_item(moved, mu) * drawn("estimate", 1);
  EXPECT_LT(largest(steps[1].estimate - again), 1e-10);
}

}  // namespace
}  // namespace reseda::inverse
