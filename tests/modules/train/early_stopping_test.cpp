#include "modules/train/early_stopping.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "modules/diffusion/oracles/data_set.hpp"
#include "modules/diffusion/oracles/gaussian.hpp"
#include "tests/modules/diffusion/plain_processes.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::train {
namespace {

at::Tensor draw(const char* stream, at::IntArrayRef shape) {
  return CounterNoise(23).normal({"x", stream, 0}, shape).to(at::kDouble);
}

TEST(EarlyStopping, WaitsForGainsAndRemembersTheBest) {
  EarlyStopping stopping({.patience = 3, .min_gain = 0.1});
  EXPECT_TRUE(stopping.report(1, 1.0));
  EXPECT_TRUE(stopping.report(2, 0.8));
  EXPECT_TRUE(stopping.report(3, 0.79)) << "lower, though no gain";
  EXPECT_FALSE(stopping.report(4, 0.9));
  EXPECT_FALSE(stopping.stopped());
  EXPECT_TRUE(stopping.report(5, 0.7)) << "a gain on 0.8";
  EXPECT_FALSE(stopping.report(6, std::nan("")));
  EXPECT_FALSE(stopping.report(7, 0.9));
  EXPECT_FALSE(stopping.stopped());
  EXPECT_FALSE(stopping.report(8, 0.7));
  EXPECT_TRUE(stopping.stopped());
  EXPECT_EQ(stopping.best_step(), 5);
  EXPECT_EQ(stopping.best(), 0.7);
  EarlyStopping never({.patience = 0});
  for (int i = 0; i < 50; ++i) never.report(i, 1.0);
  EXPECT_FALSE(never.stopped());
}

TEST(EarlyStopping, GoesOnFromWhereItWas) {
  EarlyStopping first({.patience = 2}), second({.patience = 2});
  first.report(10, 1.0);
  first.report(20, 2.0);
  StateDict state;
  first.save(state);
  second.restore(state);
  EXPECT_FALSE(second.stopped());
  second.report(30, 2.0);
  EXPECT_TRUE(second.stopped());
  EXPECT_EQ(second.best_step(), 10);
  StateDict broken;
  broken.add("early_stopping", at::ones({3}));
  tests::expect_error(Errc::kCheckpoint, "'early_stopping' must be four numbers", [&] { second.restore(broken); });
}

TEST(EarlyStopping, SaysWhatIsWrong) {
  tests::expect_error(Errc::kUsage, "early_stopping.patience must be >= 0, got -1",
                      [] { EarlyStopping({.patience = -1}); });
  tests::expect_error(Errc::kUsage, "early_stopping.min_gain must be in [0, 1), got 1",
                      [] { EarlyStopping({.min_gain = 1}); });
}

TEST(ValidationBank, SeesTheWeightsAlone) {
  const diffusion::PlainProcess process = diffusion::anchored();
  const at::Tensor x0 = 0.4 * draw("x0", {200, 1, 4, 4}), y = draw("y", {200, 1, 4, 4});
  diffusion::ListedNoise listed;
  const ValidationBank flat(x0, y, 4, process, listed);
  EXPECT_EQ(listed.draws, (std::vector<std::string>{"eps 0", "eps 1", "eps 2", "eps 3"}));
  CounterNoise noise(1);
  const ValidationBank bank(x0, y, 4, process, noise);
  ASSERT_EQ(bank.times().size(), 4U);
  EXPECT_EQ(bank.times().front(), 1.0);
  for (int k = 1; k < 4; ++k) EXPECT_LT(bank.times()[k], bank.times()[k - 1]);
  const diffusion::GaussianOracle best(at::zeros({1}, at::kDouble), 0.4, process),
      wrong(at::zeros({1}, at::kDouble), 0.8, process);
  const std::vector<double> losses = bank.losses(best);
  EXPECT_EQ(losses, bank.losses(best));
  for (std::size_t k = 0; k < 4; ++k) {
    const diffusion::Marginal m = process.at(bank.times()[k]);
    // The posterior variance d^2 c^2 / (a^2 d^2 + c^2).
    const double a = m.a.scalar(), c = m.c.scalar(), variance = 0.16 * c * c / (a * a * 0.16 + c * c);
    EXPECT_NEAR(losses[k], variance, 0.06 * variance) << k;
  }
  EXPECT_NEAR(bank.loss(best), (losses[0] + losses[1] + losses[2] + losses[3]) / 4, 1e-12);
  EXPECT_GT(bank.loss(wrong), bank.loss(best));
}

TEST(ValidationBank, SaysWhatIsWrong) {
  struct Discrete final : diffusion::PlainProcess {
    Discrete() : PlainProcess(diffusion::exploding(1.0, 0.25)) {}
    double nearest_time(double t) const override { return std::round(t * 4) / 4; }
  };
  CounterNoise noise(1);
  const at::Tensor x0 = at::zeros({1, 1, 1, 1});
  tests::expect_error(Errc::kUsage, "the validation bank finds no 30 times apart in ln(c / a)",
                      [&] { ValidationBank(x0, x0, 30, Discrete(), noise); });
  tests::expect_error(Errc::kUsage, "the validation bank needs at least one time, got 0",
                      [&] { ValidationBank(x0, x0, 0, Discrete(), noise); });
}

TEST(MemorisedShare, TellsTheSetFromItsDistribution) {
  const diffusion::PlainProcess process = diffusion::exploding(2.0, 0.5);
  const at::Tensor train = draw("train", {40, 1, 4, 4}), held_out = draw("held out", {40, 1, 4, 4});
  const at::Tensor fresh = draw("fresh", {100, 1, 4, 4});
  const at::Tensor states = process.at(0.5).sample(fresh, {}, draw("eps", {100, 1, 4, 4}));
  const diffusion::DataSetDenoiser memory(train, {}, process);
  const diffusion::GaussianOracle general(at::zeros({1}, at::kDouble), 1.0, process);
  EXPECT_EQ(memorised_share(memory(states, 0.5, {}).x0, train, held_out), 1.0);
  EXPECT_NEAR(memorised_share(general(states, 0.5, {}).x0, train, held_out), 0.5, 0.15);
  EXPECT_EQ(memorised_share(held_out, train, held_out), 0.0);
}

/// Gradient descent of a Gaussian kernel's regression on 64 noisy labels: the error against the truth falls, then rises
/// as the labels' noise is fitted.
class KernelRegression : public testing::Test {
 protected:
  static constexpr double kNoise = 0.3, kStep = 1.0;
  KernelRegression() {
    const at::Tensor x = at::linspace(-2, 2, 64, at::kDouble), fresh = at::linspace(-1.97, 1.97, 200, at::kDouble);
    const auto kernel = [](const at::Tensor& left, const at::Tensor& right) {
      return at::exp(-(left.unsqueeze(1) - right.unsqueeze(0)).square() / (2 * 0.15 * 0.15));
    };
    const auto truth = [](const at::Tensor& at_x) { return at::sin(2 * at_x); };
    const at::Tensor k = kernel(x, x), across = kernel(fresh, x), labels = truth(x) + kNoise * draw("labels", {64});
    eigenvalues = at::linalg_eigvalsh(k / 64);
    at::Tensor weights = at::zeros({64}, at::kDouble);
    for (int t = 0; t <= 4000; ++t) {
      errors.push_back((at::mv(across, weights) - truth(fresh)).square().mean().item<double>());
      weights = weights + kStep / 64 * (labels - at::mv(k, weights));
    }
  }
  std::vector<double> errors;
  at::Tensor eigenvalues;
};

TEST_F(KernelRegression, StopsNearTheBestIterate) {
  const auto best = std::min_element(errors.begin(), errors.end());
  EXPECT_LT(*best, 0.5 * errors.front());
  EXPECT_LT(*best, 0.5 * errors.back()) << "later iterates fit the noise";
  EarlyStopping stopping({.patience = 5});
  std::size_t last = 0;
  for (std::size_t t = 0; t < errors.size() && !stopping.stopped(); t += 2) {
    stopping.report(static_cast<std::int64_t>(t), errors[t]);
    last = t;
  }
  EXPECT_LT(last, errors.size() / 2);
  EXPECT_LT(stopping.best(), 1.05 * *best);
}

TEST_F(KernelRegression, TheEigenvaluesTellWhenToStop) {
  const auto best = std::min_element(errors.begin(), errors.end()) - errors.begin();
  const std::int64_t rule = kernel_stopping_time(eigenvalues, kStep, kNoise, 4000);
  // The rule's constant errs on the side of stopping early.
  EXPECT_LE(rule, best);
  EXPECT_GE(10 * rule, best);
  EXPECT_LT(errors[static_cast<std::size_t>(rule)], 0.6 * errors.front());
  EXPECT_LE(kernel_stopping_time(eigenvalues, kStep, 2 * kNoise, 4000), rule) << "more noise, sooner";
  // By hand: one eigenvalue 1, step 1, noise s: sqrt(min(1, 1/T)) <= 1 / (2 e s T), so T <= 1 / (2 e s)^2 from T >= 1.
  const double s = 1.0 / (2 * std::exp(1.0) * std::sqrt(7.5));
  EXPECT_EQ(kernel_stopping_time(at::ones({1}), 1.0, s, 100), 7);
  EXPECT_EQ(kernel_stopping_time(at::ones({1}), 1.0, s, 5), 5);
  EXPECT_EQ(kernel_stopping_time(at::ones({1}), 1.0, 10.0, 100), 0);
}

}  // namespace
}  // namespace reseda::train
