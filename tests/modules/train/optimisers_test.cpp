#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "modules/core/error.hpp"
#include "modules/train/delayed_average.hpp"
#include "modules/train/radam.hpp"

namespace reseda::train {
namespace {

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kUsage);
    return error.what();
  }
  return "";
}

TEST(RAdam, TakesPlainStepsUntilTheVarianceCanBeTold) {
  // Constant gradient 2: m / (1 - b1^n) = 2 and sqrt(v / (1 - b2^n)) = 2.
  at::Tensor p = at::tensor({1.0F}), g = at::tensor({2.0F});
  RAdam radam({.lr = 0.1}, p);
  for (int n = 1; n <= 5; ++n) {
    radam.step(p, g, 0.1);
    EXPECT_NEAR(p.item<double>(), 1 - 0.2 * n, 1e-5) << n;
  }
  const double before = p.item<double>();
  radam.step(p, g, 0.1);
  const double longest = 1999, power = std::pow(0.999, 6), length = longest - 12 * power / (1 - power);
  ASSERT_GT(length, 5);
  const double q = std::sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length));
  EXPECT_NEAR(p.item<double>(), before - 0.1 * q, 1e-5);
}

TEST(Adam, AmsgradDividesByTheLargestMoment) {
  at::Tensor p = at::zeros({1}), q = at::zeros({1});
  Adam plain({.lr = 0.1}, p), largest({.lr = 0.1, .amsgrad = true}, q);
  const at::Tensor big = at::tensor({10.0F}), small = at::tensor({0.1F});
  for (Adam* adam : {&plain, &largest}) adam->step(adam == &plain ? p : q, big, 0.1);
  EXPECT_EQ(p.item<double>(), q.item<double>());
  for (int n = 0; n < 2000; ++n) {
    plain.step(p, small, 0.1);
    largest.step(q, small, 0.1);
  }
  // v of the second step is the largest: 0.001 * 100 * 0.999 + ..., and never falls.
  EXPECT_NEAR(largest.largest_moment.item<double>(), 0.1, 1e-4);
  EXPECT_LT(plain.second_moment.item<double>(), 0.03);
  EXPECT_LT(p.item<double>(), q.item<double>() - 1);
}

TEST(NesterovDescent, LooksAhead) {
  at::Tensor p = at::tensor({1.0F}), g = at::tensor({2.0F});
  NesterovDescent descent(0.5, p);
  descent.step(p, g, 0.1);  // v = 2, step 2 + 1
  EXPECT_NEAR(p.item<double>(), 0.7, 1e-6);
  descent.step(p, g, 0.1);  // v = 3, step 2 + 1.5
  EXPECT_NEAR(p.item<double>(), 0.35, 1e-6);
  EXPECT_EQ(message_of([&] { NesterovDescent(1.0, p); }), "momentum must be in (0, 1), got 1");
}

TEST(ClipNorm, ScalesDownAndNeverUp) {
  at::Tensor g = at::tensor({3.0F, 4.0F});
  EXPECT_NEAR(clip_norm(g, 1.0), 5, 1e-6);
  EXPECT_NEAR(g.norm().item<double>(), 1, 1e-5);
  at::Tensor small = at::tensor({0.3F, 0.4F});
  EXPECT_NEAR(clip_norm(small, 1.0), 0.5, 1e-6);
  EXPECT_EQ(small[1].item<float>(), 0.4F);
  EXPECT_EQ(message_of([&] { clip_norm(g, 0); }), "the limit of a gradient's norm must be > 0, got 0");
}

TEST(CosineAnnealing, GoesFromFirstToLast) {
  EXPECT_EQ(cosine_annealing(1.0, 0.2, 0, 10), 1.0);
  EXPECT_NEAR(cosine_annealing(1.0, 0.2, 5, 10), 0.6, 1e-15);
  EXPECT_NEAR(cosine_annealing(1.0, 0.2, 10, 10), 0.2, 1e-15);
}

TEST(DelayedAverage, FollowsItsRecurrence) {
  at::Tensor value = at::zeros({1});
  DelayedAverage average({.decay = 0.9, .every = 3, .after = 7, .power = 0.5}, value);
  double shadow = 0;
  bool started = false;
  for (int call = 0; call < 60; ++call) {
    value = at::full({1}, std::sin(call * 0.7) + call);
    average.update(value);
    if (call % 3 == 0) {
      const double now = value.item<double>();
      if (call <= 7 || !started) {
        shadow = now;
        started = call > 7;
      } else {
        const double d = std::min(0.9, 1 - std::pow(1.0 + (call - 7), -0.5));
        shadow -= (1 - d) * (shadow - now);
      }
    }
    EXPECT_NEAR(average.shadow.item<double>(), shadow, 1e-4) << call;
    EXPECT_EQ(average.started, started) << call;
  }
  EXPECT_EQ(average.updates, 60);
  EXPECT_EQ(message_of([&] { DelayedAverage({.every = 0}, value); }), "average.every must be at least 1, got 0");
}

}  // namespace
}  // namespace reseda::train
