#include "modules/train/trainer.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "modules/core/error.hpp"
#include "modules/core/log.hpp"

namespace reseda::train {
namespace {

using Steps = std::vector<std::int64_t>;

/// Two tensors of which a loss is made, as a network's.
struct Weights {
  at::Tensor w = at::tensor({1.0F, -2.0F, 0.5F}).requires_grad_(), b = at::tensor({0.25F}).requires_grad_();
  std::vector<StateDict::Entry> entries() const { return {{"w", w}, {"b", b}}; }
};

/// A quadratic bowl whose bottom moves with the step; every seventh step is ten times as steep.
Trainer::Objective bowl(const Weights& weights) {
  return [weights](std::int64_t step) {
    const double s = static_cast<double>(step), steep = step % 7 == 6 ? 10.0 : 1.0;
    const at::Tensor bottom = at::tensor({std::sin(s), std::cos(s), 0.1 * s}, at::kFloat);
    return StepLoss{steep * ((weights.w - bottom).square().sum() + (weights.b * weights.w[0]).square().sum()), {}};
  };
}

TrainerConfig quick(std::int64_t steps) {
  return {.steps = steps, .warmup = 5, .adam = {.lr = 0.05, .weight_decay = 0.01}, .clip = 1.5, .ema_decay = 0.9};
}

StateDict copied(const StateDict& state) {
  StateDict out;
  out.metadata = state.metadata;
  for (const auto& [name, tensor] : state) out.add(name, tensor.clone());
  return out;
}

void expect_same_bits(const StateDict& left, const StateDict& right) {
  EXPECT_EQ(left.metadata, right.metadata);
  ASSERT_EQ(left.size(), right.size());
  for (const auto& [name, tensor] : left) EXPECT_TRUE(at::equal(tensor, right.at(name))) << name;
}

std::string refusal(Errc code, const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(errc_name(error.code())), errc_name(code)) << error.what();
    return error.what();
  }
  return "accepted";
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Keeps the warnings of skipped steps off the screen.
struct Quiet {
  Quiet() { log::set_level(log::Level::kOff); }
  ~Quiet() { log::set_level(before); }
  log::Level before = log::level();
};

TEST(Trainer, WarmsUpLinearlyAndFallsAlongACosine) {
  const Weights weights;
  const Trainer trainer(weights.entries(), {.steps = 110, .warmup = 10, .final_lr = 0.1, .adam = {.lr = 0.01}});
  EXPECT_NEAR(trainer.learning_rate(0), 0.001, 1e-12);
  EXPECT_NEAR(trainer.learning_rate(4), 0.005, 1e-12);
  EXPECT_NEAR(trainer.learning_rate(9), 0.01, 1e-12);
  EXPECT_NEAR(trainer.learning_rate(10), 0.01, 1e-12);
  EXPECT_NEAR(trainer.learning_rate(35), 0.01 * (0.1 + 0.9 * 0.5 * (1 + std::sqrt(0.5))), 1e-12);
  EXPECT_NEAR(trainer.learning_rate(60), 0.0055, 1e-12);
  EXPECT_NEAR(trainer.learning_rate(110), 0.001, 1e-12);
  EXPECT_NEAR(trainer.learning_rate(500), 0.001, 1e-12);
}

TEST(Trainer, KeepsTheRateWhereTheFinalShareIsOne) {
  const Weights weights;
  const Trainer trainer(weights.entries(), {.steps = 50, .warmup = 0, .final_lr = 1.0, .adam = {.lr = 0.01}});
  for (const std::int64_t step : {0, 1, 25, 50}) EXPECT_DOUBLE_EQ(trainer.learning_rate(step), 0.01);
}

TEST(Trainer, FindsTheBottomOfABowl) {
  const Weights weights;
  Trainer trainer(weights.entries(), {.steps = 400, .warmup = 5, .adam = {.lr = 0.05}});
  const at::Tensor bottom = at::tensor({3.0F, -1.0F, 0.0F});
  EXPECT_TRUE(trainer.run([&](std::int64_t) { return StepLoss{(weights.w - bottom).square().sum(), {}}; }, {}));
  EXPECT_LT((weights.w - bottom).abs().max().item<double>(), 1e-2);
  EXPECT_EQ(weights.b.item<float>(), 0.25F) << "nothing asked for another b";
}

TEST(Trainer, MovesEachTensorByItsFactorOfTheRate) {
  const Weights weights;
  std::vector<StateDict::Entry> entries = weights.entries();
  entries.emplace(entries.begin() + 1, "fixed", at::ones({2}));
  const TrainerConfig config = {.steps = 1, .warmup = 0, .adam = {.lr = 0.1, .weight_decay = 0.5}};
  Trainer trainer(entries, config, {0.25, 9, 1});
  EXPECT_TRUE(trainer.run([&](std::int64_t) { return StepLoss{weights.w.sum() - weights.b.sum(), {}}; }, {}));
  // The first step is lr (wd w + sign g): 0.1 (0.5 w + 1) for w, 0.1 (0.5 b - 1) for b.
  const at::Tensor w = at::tensor({1.0 - 0.25 * 0.15, -2.0, 0.5 - 0.25 * 0.125}, at::kFloat);
  EXPECT_LT((weights.w.detach() - w).abs().max().item<double>(), 1e-6);
  EXPECT_NEAR(weights.b.item<double>(), 0.25 + 0.1 * 0.875, 1e-6);
}

TEST(Trainer, CallsItsHooksAtTheirSteps) {
  const Weights weights;
  TrainerConfig config = quick(5);
  config.save_every = 2;
  config.validate_every = 3;
  Trainer trainer(weights.entries(), config);
  Steps stepped, saved, validated;
  Trainer::Hooks hooks;
  hooks.on_step = [&](std::int64_t step, const StepLoss& loss, double norm, double lr) {
    stepped.push_back(step);
    EXPECT_GT(loss.total.item<double>(), 0);
    EXPECT_GT(norm, 0);
    EXPECT_DOUBLE_EQ(lr, trainer.learning_rate(step - 1));
  };
  hooks.save = [&](std::int64_t step) { saved.push_back(step); };
  hooks.validate = [&](std::int64_t step) { validated.push_back(step); };
  EXPECT_TRUE(trainer.run(bowl(weights), hooks));
  EXPECT_EQ(stepped, (Steps{1, 2, 3, 4, 5}));
  EXPECT_EQ(saved, (Steps{2, 4, 5}));
  EXPECT_EQ(validated, (Steps{3, 5}));
}

TEST(Trainer, ResumesToTheSameBitsAsARunThatNeverStopped) {
  const Weights whole;
  Trainer uninterrupted(whole.entries(), quick(60));
  EXPECT_TRUE(uninterrupted.run(bowl(whole), {}));

  for (const std::int64_t at : {1, 17, 41}) {
    StateDict saved;
    {
      const Weights first;
      Trainer trainer(first.entries(), quick(60));
      Trainer::Hooks hooks;
      hooks.stop = [&] { return trainer.step() == at; };
      hooks.save = [&](std::int64_t) { saved = copied(trainer.state()); };
      EXPECT_FALSE(trainer.run(bowl(first), hooks));
    }
    EXPECT_EQ(saved.metadata.at("step"), std::to_string(at));
    const Weights second;
    second.w.detach().fill_(99);  // whatever the new network starts from
    Trainer trainer(second.entries(), quick(60));
    trainer.restore(saved);
    EXPECT_EQ(trainer.step(), at);
    EXPECT_TRUE(trainer.run(bowl(second), {}));
    expect_same_bits(trainer.state(), uninterrupted.state());
    EXPECT_TRUE(at::equal(second.w, whole.w));
  }
}

TEST(Trainer, KeepsTensorsThatItDoesNotTrainWithTheState) {
  const Weights weights;
  const at::Tensor seen = at::zeros({});  // as a running statistic: the objective changes it
  const auto entries = [](const Weights& of, const at::Tensor& untrained) {
    auto all = of.entries();
    all.emplace_back("seen", untrained);
    return all;
  };
  Trainer trainer(entries(weights, seen), quick(3));
  trainer.run(
      [&](std::int64_t step) {
        seen.add_(1);
        return bowl(weights)(step);
      },
      {});
  EXPECT_EQ(seen.item<double>(), 3);
  const Weights second;
  const at::Tensor restored = at::zeros({});
  Trainer other(entries(second, restored), quick(3));
  other.restore(trainer.state());
  EXPECT_EQ(restored.item<double>(), 3);
  Trainer without(Weights().entries(), quick(3));
  EXPECT_TRUE(has(refusal(Errc::kCheckpoint, [&] { without.restore(trainer.state()); }), "seen"));
}

/// The gradient at each step is what the list says, 1 elsewhere; with beta1 = 0 the first moment is the clipped one.
class ClippingTest : public testing::Test {
 protected:
  double applied_at(std::int64_t wanted, std::map<std::int64_t, double> slopes, double clip) {
    const at::Tensor w = at::zeros({1}).requires_grad_();
    Trainer trainer({{"w", w}}, {.steps = wanted + 1, .adam = {.beta1 = 0.0}, .clip = clip});
    Trainer::Hooks hooks;
    hooks.on_step = [&](std::int64_t step, const StepLoss&, double norm, double) {
      if (step == wanted + 1) norm_ = norm;
    };
    trainer.run(
        [&](std::int64_t step) {
          return StepLoss{w.sum() * (slopes.count(step) > 0 ? slopes[step] : 1.0), {}};
        },
        hooks);
    return trainer.state().at("adam.m.w").item<double>();
  }
  double norm_ = 0;
};

TEST_F(ClippingTest, ScalesOutliersToAMultipleOfTheMedian) {
  EXPECT_NEAR(applied_at(30, {{30, -10.0}}, 1.5), -1.5, 1e-6);
  EXPECT_NEAR(norm_, 10.0, 1e-6) << "the norm is reported as it was";
  EXPECT_NEAR(applied_at(30, {{30, 1.4}}, 1.5), 1.4, 1e-6);
}

TEST_F(ClippingTest, WaitsForTwentyNorms) {
  EXPECT_NEAR(applied_at(19, {{19, 10.0}}, 1.5), 10.0, 1e-6);
  EXPECT_NEAR(applied_at(20, {{20, 10.0}}, 1.5), 1.5, 1e-6);
}

TEST_F(ClippingTest, IsMovedByTheMedianNotByOutliers) {
  EXPECT_NEAR(applied_at(40, {{3, 1e6}, {25, 1e6}, {40, 10.0}}, 2.0), 2.0, 1e-5);
  EXPECT_NEAR(applied_at(40, {{40, 10.0}}, 0.0), 10.0, 1e-6) << "0 is off";
}

TEST(Trainer, LeavesOutStepsWhoseGradientIsNotFinite) {
  const Quiet quiet;
  const Weights weights;
  Trainer trainer(weights.entries(), quick(6));
  at::Tensor before;
  const auto good = bowl(weights);
  Trainer::Hooks hooks;
  hooks.on_step = [&](std::int64_t step, const StepLoss&, double norm, double) {
    if (step == 3) before = weights.w.detach().clone();
    if (step != 4) return;
    EXPECT_FALSE(std::isfinite(norm));
    EXPECT_TRUE(at::equal(weights.w, before));
  };
  EXPECT_TRUE(trainer.run(
      [&](std::int64_t step) {
        StepLoss loss = good(step);
        if (step == 3) loss.total = loss.total * std::numeric_limits<double>::quiet_NaN();
        return loss;
      },
      hooks));
  EXPECT_EQ(trainer.step(), 6);
  EXPECT_EQ(trainer.state().metadata.at("updates"), "5");
  EXPECT_TRUE(at::isfinite(weights.w).all().item<bool>());
  EXPECT_FALSE(at::equal(weights.w, before)) << "later steps go on";
}

TEST(Trainer, GivesUpAfterTenBadStepsInARow) {
  const Quiet quiet;
  const Weights weights;
  const auto bad_unless = [&](std::int64_t modulus) {
    return [&weights, modulus](std::int64_t step) {
      const double factor = step % modulus == modulus - 1 ? 1.0 : std::numeric_limits<double>::infinity();
      return StepLoss{weights.w.square().sum() * factor, {}};
    };
  };
  Trainer patient(weights.entries(), quick(40));
  EXPECT_TRUE(patient.run(bad_unless(10), {})) << "nine in a row, then a good one";
  Trainer trainer(weights.entries(), quick(40));
  const std::string message = refusal(Errc::kNumeric, [&] { trainer.run(bad_unless(100), {}); });
  EXPECT_TRUE(has(message, "not finite 10 times in a row at step 9")) << message;
}

TEST(Trainer, RefusesTheStateOfAnotherNetwork) {
  const Weights weights;
  Trainer trainer(weights.entries(), quick(10));
  const at::Tensor before = weights.w.detach().clone();

  const at::Tensor other = at::zeros({4}).requires_grad_();
  const Trainer stranger({{"w", other}}, quick(10));
  const std::string message = refusal(Errc::kCheckpoint, [&] { trainer.restore(stranger.state()); });
  EXPECT_TRUE(has(message, "missing: b")) << message;
  EXPECT_TRUE(has(message, "of another shape: w")) << message;
  EXPECT_TRUE(at::equal(weights.w, before));
  EXPECT_EQ(trainer.step(), 0);
}

TEST(Trainer, RefusesADamagedState) {
  const Weights weights;
  Trainer trainer(weights.entries(), quick(10));
  for (const char* text : {"", "abc", "-1", "5 ", "99999999999999999999"}) {
    StateDict state = copied(trainer.state());
    state.metadata["step"] = text;
    const std::string message = refusal(Errc::kCheckpoint, [&] { trainer.restore(state); });
    EXPECT_TRUE(has(message, "'step' must be a count")) << message;
  }
  StateDict state = copied(trainer.state());
  state.metadata.erase("updates");
  EXPECT_TRUE(has(refusal(Errc::kCheckpoint, [&] { trainer.restore(state); }), "lacks 'updates'"));
  StateDict without;
  for (const auto& [name, tensor] : state)
    if (name != "norms") without.add(name, tensor);
  EXPECT_TRUE(has(refusal(Errc::kCheckpoint, [&] { trainer.restore(without); }), "'norms' is missing"));
}

TEST(Trainer, RefusesSettingsByName) {
  const Weights weights;
  const auto message = [&](const TrainerConfig& config) {
    return refusal(Errc::kUsage, [&] { Trainer trainer(weights.entries(), config); });
  };
  EXPECT_TRUE(has(message({.steps = 0}), "train.steps must be at least 1, got 0"));
  EXPECT_TRUE(has(message({.warmup = -1}), "train.warmup"));
  EXPECT_TRUE(has(message({.final_lr = 1.5}), "train.final_lr"));
  EXPECT_TRUE(has(message({.clip = -1}), "train.clip"));
  EXPECT_TRUE(has(message({.ema_decay = 1.0}), "ema_decay"));
  EXPECT_TRUE(has(message({.save_every = 0}), "train.save_every"));
}

TEST(Trainer, AveragesUnderTheNetworksNames) {
  const Weights weights;
  Trainer trainer(weights.entries(), {.steps = 1, .warmup = 0, .adam = {.lr = 0.1}});
  trainer.run([&](std::int64_t) { return StepLoss{weights.w.sum(), {}}; }, {});
  const auto averaged = trainer.averaged();
  ASSERT_EQ(averaged.size(), 2U);
  EXPECT_EQ(averaged[0].first, "w");
  // One update with decay 2/11: 9/11 of the step of 0.1.
  EXPECT_NEAR(averaged[0].second[0].item<double>(), 1.0 - 0.1 * 9.0 / 11, 1e-6);
  EXPECT_NEAR(weights.w[0].item<double>(), 0.9, 1e-6);
}

TEST(SwappedWeights, ReturnsTheOriginalsBitForBit) {
  const Weights weights;
  weights.w.detach()[1] = -0.0F;
  const at::Tensor before = weights.w.detach().clone();
  {
    const SwappedWeights swapped(weights.entries(), {{"w", at::tensor({7.0F, 8.0F, 9.0F})}, {"stranger", at::ones(1)}});
    EXPECT_EQ(weights.w[2].item<float>(), 9.0F);
    EXPECT_EQ(weights.b.item<float>(), 0.25F);
  }
  EXPECT_TRUE(at::equal(weights.w.detach().view(at::kInt), before.view(at::kInt)));
}

TEST(SwappedWeights, ReturnsThemWhenAnExceptionPasses) {
  const Weights weights;
  const at::Tensor before = weights.w.detach().clone();
  try {
    const SwappedWeights swapped(weights.entries(), {{"w", at::zeros({3})}});
    detail::raise(Errc::kNumeric, "stopped");
  } catch (const Error&) {
  }
  EXPECT_TRUE(at::equal(weights.w, before));
}

}  // namespace
}  // namespace reseda::train
