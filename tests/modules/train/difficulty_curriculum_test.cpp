#include "modules/train/difficulty_curriculum.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "modules/diffusion/oracles/gaussian_mixture.hpp"
#include "modules/diffusion/time_grid.hpp"
#include "modules/train/trainer.hpp"
#include "tests/modules/diffusion/plain_processes.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::train {
namespace {

using diffusion::Marginal;
using diffusion::PlainProcess;

/// x_t = (1 - t) x0 + t eps.
PlainProcess flow() {
  return {1.0, 0.01, [](double t) { return Marginal{1 - t, 0.0, t}; }};
}

at::Tensor uniform(std::int64_t count, std::uint32_t step = 0) {
  return CounterNoise(3).uniform({"batch", "time", step}, {count});
}

void expect_range(const at::Tensor& times, double low, double high) {
  const double width = high - low;
  EXPECT_GE(times.min().item<double>(), low);
  EXPECT_LE(times.max().item<double>(), high);
  EXPECT_LT(times.min().item<double>(), low + 0.02 * width);
  EXPECT_GT(times.max().item<double>(), high - 0.02 * width);
  EXPECT_NEAR(times.mean().item<double>(), low + 0.5 * width, 0.02 * width);
}

TEST(Curriculum, AddsCleanerTimesStageByStage) {
  const PlainProcess process = flow();
  DifficultyCurriculum curriculum({.clusters = 4, .patience = 1}, process);
  for (const double low : {0.7525, 0.505, 0.2575, 0.01}) {
    expect_range(curriculum.times(uniform(4000)), low, 1.0);
    EXPECT_EQ(curriculum.done(), low == 0.01);
    curriculum.report(1.0);
    EXPECT_EQ(curriculum.report(1.0), low != 0.01) << "no gain begins the next stage, but for the last";
  }
  EXPECT_EQ(curriculum.stage(), 4);
}

TEST(Curriculum, OfOneStageIsOrdinaryTraining) {
  const PlainProcess process = flow();
  DifficultyCurriculum curriculum({.clusters = 1}, process);
  EXPECT_TRUE(curriculum.done());
  expect_range(curriculum.times(uniform(4000)), 0.01, 1.0);
  EXPECT_FALSE(curriculum.report(1.0));
}

TEST(Curriculum, SpacesByTheRatioOfNoise) {
  const PlainProcess process = flow();
  DifficultyCurriculum curriculum({.clusters = 2, .spacing = "log_snr", .patience = 1}, process);
  // Between 200 (no signal at t = 1) and 0.01 / 0.99: half way in the logarithm.
  const double ratio = std::sqrt(200 * 0.01 / 0.99);
  expect_range(curriculum.times(uniform(4000)), ratio / (1 + ratio), 1.0);
}

TEST(Curriculum, GivesTimesThatTheProcessHas) {
  struct Discrete final : PlainProcess {
    Discrete() : PlainProcess(flow()) {}
    double nearest_time(double t) const override { return std::ceil(t * 4) / 4; }
  };
  const Discrete process;
  const at::Tensor times = DifficultyCurriculum({.clusters = 1}, process).times(uniform(200));
  EXPECT_TRUE(at::equal(4 * times, (4 * times).round()));
}

TEST(Curriculum, WaitsForGains) {
  const PlainProcess process = flow();
  DifficultyCurriculum curriculum({.clusters = 3, .patience = 2, .min_gain = 0.1}, process);
  for (const double loss : {1.0, 0.95, 0.85, 0.8}) EXPECT_FALSE(curriculum.report(loss)) << loss;
  EXPECT_TRUE(curriculum.report(0.79)) << "0.85 was the last gain of a tenth";
  EXPECT_EQ(curriculum.stage(), 2);
  EXPECT_FALSE(curriculum.report(5.0)) << "a stage has its own losses";
  EXPECT_FALSE(curriculum.report(std::nan("")));
  EXPECT_TRUE(curriculum.report(5.0));
  DifficultyCurriculum limited({.clusters = 2, .patience = 100, .stage_limit = 3}, process);
  EXPECT_FALSE(limited.report(3));
  EXPECT_FALSE(limited.report(2));
  EXPECT_TRUE(limited.report(1));
}

TEST(Curriculum, GoesOnFromWhereItWas) {
  const PlainProcess process = flow();
  const CurriculumConfig config{.clusters = 3, .patience = 2};
  DifficultyCurriculum first(config, process), second(config, process);
  for (const double loss : {1.0, 1.0, 1.0, 0.5, 0.6}) first.report(loss);
  StateDict state;
  first.save(state);
  second.restore(state);
  EXPECT_EQ(second.stage(), 2);
  EXPECT_EQ(second.report(0.6), first.report(0.6));
  EXPECT_EQ(second.stage(), 3);
  DifficultyCurriculum fewer({.clusters = 1}, process);
  tests::expect_error(Errc::kCheckpoint, "'curriculum' is not of a curriculum of 1 stages",
                      [&] { fewer.restore(state); });
  tests::expect_error(Errc::kCheckpoint, "curriculum", [&] { fewer.restore(StateDict{}); });
}

/// x0^ = w tanh(A (x, ln(t / (1 - t))) + b) + w0: only w is learned.
class Features {
 public:
  Features() {
    CounterNoise noise(8);
    const auto draw = [&](const char* name, at::IntArrayRef shape) { return noise.normal({"net", name, 0}, shape); };
    a_ = draw("a", {2, 64});
    b_ = draw("b", {64});
  }
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& t) const {
    const at::Tensor s = (t / (1.0 - t).clamp_min(1e-3)).log().to(at::kFloat);
    return at::matmul(at::tanh(at::matmul(at::stack({x, s}, 1), a_) + b_), w) + w0;
  }
  at::Tensor w = at::zeros({64}).requires_grad_(), w0 = at::zeros({}).requires_grad_();

 private:
  at::Tensor a_, b_;
};

/// Data of two bumps, its exact denoiser, and the features that learn it with or without a curriculum.
class CurriculumTraining : public testing::Test {
 protected:
  /// Mean square of what separates the net from the exact estimate, as a share of the latter's.
  double error(const Features& net, double low, double high) {
    const at::Tensor times = low + (high - low) * uniform(2000).to(at::kDouble);
    const at::Tensor x = batch(5000, times).second;
    std::vector<at::Tensor> exact;
    for (std::int64_t i = 0; i < 2000; ++i)
      exact.push_back(oracle_(x[i].reshape({1, 1}), times[i].item<double>(), {}).x0.flatten());
    const at::Tensor best = at::cat(exact);
    return ((net(x, times) - best).square().mean() / best.square().mean()).item<double>();
  }

  /// x0 and x_t.
  std::pair<at::Tensor, at::Tensor> batch(std::uint32_t step, const at::Tensor& times) {
    const auto normal = [&](const char* stream) { return noise_.normal({"batch", stream, step}, times.sizes()); };
    const at::Tensor side = noise_.uniform({"batch", "side", step}, times.sizes()), t = times.to(at::kFloat);
    const at::Tensor x0 = at::where(side < 0.5, 1.0F, -2.0F) + 0.1 * normal("x0");
    return {x0, (1 - t) * x0 + t * normal("eps")};
  }

  /// A stage lasts `evaluation` steps.
  void train(const Features& net, std::int64_t clusters, std::int64_t steps, std::int64_t evaluation) {
    DifficultyCurriculum curriculum({.clusters = clusters, .stage_limit = 1}, process_);
    Trainer trainer({{"w", net.w}, {"w0", net.w0}},
                    {.steps = steps, .warmup = 0, .final_lr = 1.0, .adam = {.lr = 0.01}, .validate_every = evaluation});
    Trainer::Hooks hooks;
    hooks.validate = [&](std::int64_t) {
      if (curriculum.report(1.0)) trainer.restart_average();
    };
    trainer.run(
        [&](std::int64_t step) {
          const auto s = static_cast<std::uint32_t>(step);
          const at::Tensor times = curriculum.times(uniform(512, s));
          const auto [x0, x] = batch(s, times);
          return StepLoss{(net(x, times) - x0).square().mean(), {}};
        },
        hooks);
  }

  PlainProcess process_ = flow();
  diffusion::GaussianMixtureOracle oracle_{{{0.5, at::full({1}, 1.0F), 0.1}, {0.5, at::full({1}, -2.0F), 0.1}},
                                           process_};
  CounterNoise noise_{4};
};

/// The effect: the noisiest times are learned sooner, because all of the first steps go there; the rest follows.
TEST_F(CurriculumTraining, LearnsTheNoisiestTimesSooner) {
  const Features staged, ordinary, later;
  train(staged, 5, 25, 1000);
  train(ordinary, 1, 25, 1000);
  const double sooner = error(staged, 0.8, 0.99), usual = error(ordinary, 0.8, 0.99);
  EXPECT_LT(sooner, 0.5 * usual) << sooner << " " << usual;
  train(later, 5, 400, 30);
  EXPECT_LT(error(later, 0.8, 0.99), 0.3);
  EXPECT_LT(error(later, 0.01, 0.2), 0.05);
}

TEST(Curriculum, StagesMayRestartTheAverage) {
  const at::Tensor w = at::ones({2}).requires_grad_();
  Trainer trainer({{"w", w}}, {.steps = 8, .warmup = 0, .adam = {.lr = 0.1}});
  Trainer::Hooks hooks;
  hooks.on_step = [&](std::int64_t step, const StepLoss&, double, double) {
    if (step == 6) trainer.restart_average();
    if (step == 6) {
      EXPECT_TRUE(at::equal(trainer.averaged()[0].second, w));
    }
  };
  const auto objective = [&](std::int64_t) { return StepLoss{w.sum(), {}}; };
  trainer.run(objective, hooks);
  EXPECT_EQ(trainer.state().metadata.at("average_updates"), "2");
  const at::Tensor other = at::zeros({2}).requires_grad_();
  Trainer resumed({{"w", other}}, {.steps = 9, .warmup = 0, .adam = {.lr = 0.1}});
  resumed.restore(trainer.state());
  EXPECT_EQ(resumed.state().metadata, trainer.state().metadata);
}

TEST(Curriculum, SaysWhatIsWrong) {
  const PlainProcess process = flow();
  const auto refuse = [&](const CurriculumConfig& config, const char* message) {
    tests::expect_error(Errc::kUsage, message, [&] { DifficultyCurriculum(config, process); });
  };
  refuse({.clusters = 0}, "curriculum.clusters must be in 1 to 1000, got 0");
  refuse({.spacing = "even"}, "curriculum.spacing must be one of uniform, log_snr, got 'even'");
  refuse({.patience = 0}, "curriculum.patience must be >= 1, got 0");
  refuse({.min_gain = 1}, "curriculum.min_gain must be in [0, 1), got 1");
  refuse({.stage_limit = -1}, "curriculum.stage_limit must be >= 0, got -1");
}

}  // namespace
}  // namespace reseda::train
