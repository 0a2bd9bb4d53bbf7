#include "modules/diffusion/processes/resfusion.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "modules/diffusion/clipped_denoiser.hpp"
#include "modules/diffusion/samplers/rddm_step.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::diffusion {
namespace {

double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }
double value(const at::Tensor& values, std::int64_t index) { return values[index].item<double>(); }

ResfusionConfig configured(std::int64_t steps, const std::string& schedule = "linear_pro") {
  ResfusionConfig config;
  config.coefficients.steps = steps;
  config.coefficients.schedule = schedule;
  return config;
}

TEST(ResfusionSchedule, AgreesWithTheTable) {
  const ResfusionSchedule s = resfusion_schedule(configured(12).coefficients);
  const struct {
    double beta, alpha, hat, beta_hat;
  } rows[] = {{0.00833332539, 0.991666675, 0.991666675, 0.00833332539},
              {0.159090877, 0.840909123, 0.833901525, 0.00798174739},
              {0.309848428, 0.690151572, 0.575518489, 0.121242858},
              {0.460606039, 0.539393961, 0.310431182, 0.283537686},
              {0.194668531, 0.805331469, 0.25, 0.178983122}};
  ASSERT_EQ(s.used, 5);
  ASSERT_EQ(s.alphas_hat.size(0), 5);
  for (int t = 0; t < 5; ++t) {
    EXPECT_NEAR(value(s.betas, t), rows[t].beta, 1.2e-7) << t;
    EXPECT_NEAR(value(s.alphas, t), rows[t].alpha, 1.2e-7) << t;
    EXPECT_NEAR(value(s.alphas_hat, t), rows[t].hat, 1.2e-7) << t;
    EXPECT_NEAR(value(s.betas_hat, t), rows[t].beta_hat, 1.2e-7) << t;
  }
  EXPECT_EQ(value(s.alphas_hat, 4), 0.25);
}

TEST(ResfusionSchedule, UsesTheOfficialNumberOfSteps) {
  const std::map<std::int64_t, std::int64_t> linear = {{10, 4},  {12, 5},   {13, 5},    {17, 7},    {25, 10},
                                                       {50, 19}, {100, 37}, {273, 100}, {500, 184}, {1000, 368}};
  const std::map<std::int64_t, std::int64_t> cosine = {{10, 7},  {12, 8},   {13, 9},    {20, 14},
                                                       {30, 20}, {100, 66}, {273, 181}, {1000, 664}};
  for (const auto& [steps, used] : linear) EXPECT_EQ(Resfusion(configured(steps)).steps(), used) << steps;
  for (const auto& [steps, used] : cosine) EXPECT_EQ(Resfusion(configured(steps, "cosine_pro")).steps(), used) << steps;
  // The scan for the cut also finds a schedule where the official search goes astray.
  for (const std::int64_t steps : {7, 8, 9}) {
    const ResfusionSchedule s = resfusion_schedule(configured(steps).coefficients);
    EXPECT_EQ(s.alphas_hat[s.used - 1].item<double>(), 0.25) << steps;
  }
}

TEST(ResfusionSchedule, RefusesWhatItCannotBe) {
  const auto message = [](const std::vector<std::pair<std::string, std::string>>& keys) {
    const auto [code, text] = error_of([&] { make_process(component("resfusion", keys)); });
    EXPECT_EQ(code, Errc::kUsage);
    return text;
  };
  EXPECT_EQ(message({{"steps", "6"}}), "process.steps must be in 7 to 100000 for linear_pro, got 6");
  EXPECT_EQ(message({{"schedule", "LinearPro"}}),
            "process.schedule must be one of linear_pro, cosine_pro, linear, cosine, got 'LinearPro'");
  EXPECT_EQ(message({{"last_index", "4"}}), "process.last_index must be in -1 to 3 for these steps, got 4");
  EXPECT_EQ(message({{"beta_last", "1"}}),
            "process.beta_first and beta_last must satisfy 0 < beta_first <= beta_last < 1, got 0.0001 and 1");
}

TEST(Resfusion, HasTheArraysAtTheOfficialTimesAndIsCleanBelow) {
  for (const char* schedule : {"linear_pro", "cosine_pro"}) {
    const Resfusion process(configured(12, schedule));
    const auto count = static_cast<double>(process.steps());
    for (std::int64_t i = 0; i < process.steps(); ++i) {
      const double hat = value(process.schedule().alphas_hat, i), q = std::sqrt(hat);
      const Marginal m = process.at(static_cast<double>(i + 1) / count);
      EXPECT_NEAR(m.a.scalar(), 2 * q - 1, 1e-14);
      EXPECT_NEAR(m.b.scalar(), 1 - q, 1e-14);
      EXPECT_NEAR(m.c.scalar(), std::sqrt(1 - hat), 1e-14);
      EXPECT_EQ(process.network_time(static_cast<double>(i + 1) / count), static_cast<double>(i));
    }
    EXPECT_EQ(process.at(0).a.scalar(), 1);
    EXPECT_EQ(process.at(0).c.scalar(), 0);
  }
}

TEST(Resfusion, WeighsTheResidualInItsTargetAsTheDiscreteStepDoes) {
  const Resfusion process(configured(12));
  const double k[] = {0.0457390, 0.2125975, 0.3558766, 0.4787744, 0.4564268};
  const double d[] = {0.99582, 0.91301, 0.74912, 0.51190, 0.39528};
  const ResfusionSchedule& s = process.schedule();
  for (int i = 0; i < 5; ++i) {
    const double t = (i + 1) / 5.0;
    const double weight = process.rate(t).resnoise.scalar();
    EXPECT_NEAR(weight, k[i], 2e-7) << i;
    const double beta = value(s.betas, i), alpha = value(s.alphas, i), hat = value(s.alphas_hat, i);
    EXPECT_NEAR(weight, (1 - std::sqrt(alpha)) * std::sqrt(1 - hat) / beta, 1e-5 * weight) << i;
    EXPECT_NEAR(process.at(t).a.scalar() + process.at(t).c.scalar() * weight, d[i], 1e-5) << i;
  }
}

TEST(Resfusion, StartsFromTheMeasurement) {
  const at::Tensor y = at::full({1, 1, 1, 1}, 0.8, at::kDouble), x0 = at::full_like(y, -0.4);
  for (const std::int64_t steps : {12, 30}) {
    const Resfusion process(configured(steps));
    RecordedNoise noise({at::full({1, 1, 1, 1}, 0.5F)});
    const at::Tensor start = process.prior(y, noise, "");
    const Marginal m = process.at(1);
    // The forward mean and the start differ by a (y - x0), which vanishes where sqrt(ahat) is 1/2.
    const double gap = (start - m.sample(x0, y, at::full_like(y, 0.5))).item<double>();
    EXPECT_NEAR(gap, m.a.scalar() * (0.8 + 0.4), 1e-7) << steps;
    EXPECT_EQ(std::abs(gap) < 1e-12, steps == 12) << steps;
  }
}

/// Neighbouring times of the process.
struct Neighbours {
  Marginal from, to;
  double alpha, beta, hat, hat_before;
};
Neighbours neighbours(const Resfusion& process, int i) {
  const ResfusionSchedule& s = process.schedule();
  const auto count = static_cast<double>(process.steps());
  const double alpha = value(s.alphas_hat, i) / value(s.alphas_hat, i - 1);
  return {process.at((i + 1) / count), process.at(i / count),     alpha, 1 - alpha,
          value(s.alphas_hat, i),      value(s.alphas_hat, i - 1)};
}

TEST(ResfusionStep, IsDdpmsStepWithTheResnoiseAsNoise) {
  const Resfusion process(configured(12));
  for (int i = 1; i < 5; ++i) {
    const Neighbours n = neighbours(process, i);
    const RddmStep step = rddm_step(RddmUpdate::kRelative, n.from, n.to, 1);
    const double weight = -n.beta / std::sqrt(1 - n.hat) / std::sqrt(n.alpha);
    const double k = std::sqrt(1 - n.hat) / (1 + std::sqrt(n.alpha));
    EXPECT_NEAR(step.state.scalar(), 1 / std::sqrt(n.alpha), 1e-12) << i;
    EXPECT_NEAR(step.eps.scalar(), weight, 1e-12) << i;
    EXPECT_NEAR(step.residual.scalar(), weight * k, 1e-12) << i;
    EXPECT_NEAR(std::pow(step.noise.scalar(), 2), (1 - n.hat_before) / (1 - n.hat) * n.beta, 1e-12) << i;
  }
}

TEST(ResfusionStep, IsRddmsStepInScaledCoordinates) {
  const Resfusion process(configured(20));
  for (int i = 1; i < 8; ++i) {
    const Neighbours n = neighbours(process, i);
    const auto scaled = [](const Marginal& m) {
      const double q = m.a.scalar() + m.b.scalar();
      return Marginal{m.a.scalar() / q, m.b.scalar() / q, m.c.scalar() / q};
    };
    const double q = std::sqrt(n.hat), q_to = std::sqrt(n.hat_before);
    EXPECT_NEAR(scaled(n.from).b.scalar(), (1 - q) / q, 1e-12);
    const RddmStep own = rddm_step(RddmUpdate::kRelative, n.from, n.to, 1);
    const RddmStep rddm = rddm_step(RddmUpdate::kRelative, scaled(n.from), scaled(n.to), 1);
    EXPECT_NEAR(own.state.scalar(), rddm.state.scalar() * q_to / q, 1e-12);
    EXPECT_NEAR(own.residual.scalar(), rddm.residual.scalar() * q_to, 1e-12);
    EXPECT_NEAR(own.eps.scalar(), rddm.eps.scalar() * q_to, 1e-12);
    EXPECT_NEAR(own.noise.scalar(), rddm.noise.scalar() * q_to, 1e-12);
  }
}

TEST(ResfusionStep, KeepsTheMarginal) {
  const Resfusion process(configured(12));
  for (int i = 1; i < 5; ++i) {
    const Neighbours n = neighbours(process, i);
    const RddmStep s = rddm_step(RddmUpdate::kRelative, n.from, n.to, 1);
    EXPECT_NEAR(s.state.scalar() * n.from.b.scalar() + s.residual.scalar(), n.to.b.scalar(), 1e-12) << i;
    const double kept = s.state.scalar() * n.from.c.scalar() + s.eps.scalar();
    EXPECT_NEAR(kept * kept + std::pow(s.noise.scalar(), 2), std::pow(n.to.c.scalar(), 2), 1e-12) << i;
  }
}

at::Tensor draw(const char* stream) {
  CounterNoise noise(17);
  return draw_like(noise, {"x", stream, 0}, at::empty({2, 3, 4, 5}, at::kDouble));
}

/// A network that predicts resnoise for a guess of x0, right or not.
at::Tensor guess(const at::Tensor& x, const at::Tensor& y) { return 0.2 * x + 0.1 * at::cos(5 * y); }

at::Tensor sample(const Resfusion& process, Target target, const char* update) {
  const at::Tensor y = draw("y");
  const FunctionDenoiser denoiser([&](const at::Tensor& x, double t, const Condition& condition) {
    const Marginal m = process.at(t);
    const Rates r = process.rate(t);
    const at::Tensor x0 = guess(x, condition.y);
    const Estimates truth = estimates_from(Target::kX0, x0, x, condition.y, m, r);
    const at::Tensor prediction = target_value(target, x0, truth.eps, condition.y, m, r);
    return estimates_from(target, prediction, x, condition.y, m, r);
  });
  CounterNoise noise(4);
  return run_sampler(component("resfusion_ancestral", {{"update", update}}), y, process, denoiser, noise);
}

TEST(ResfusionAncestral, ModesAgreeWithoutAClip) {
  for (const char* schedule : {"linear_pro", "cosine_pro"}) {
    const Resfusion process(configured(12, schedule));
    const at::Tensor epsilon = sample(process, Target::kResNoise, "relative");
    EXPECT_LT(largest(sample(process, Target::kX0, "mixed") - epsilon), 1e-12) << schedule;
    EXPECT_LT(largest(sample(process, Target::kResidual, "mixed") - epsilon), 1e-12) << schedule;
  }
}

TEST(ResfusionAncestral, AsksForOneDrawMoreThanItHasSteps) {
  const Resfusion process(configured(12));
  ListedNoise noise;
  const FunctionDenoiser denoiser([](const at::Tensor& x, double, const Condition&) {
    return Estimates{at::zeros_like(x), at::zeros_like(x)};
  });
  run_sampler(component("resfusion_ancestral"), at::zeros({1, 1, 1, 1}), process, denoiser, noise);
  EXPECT_EQ(noise.draws.size(), 6U);
  EXPECT_EQ(noise.draws.back(), "predictor 4");
}

TEST(ResfusionAncestral, WithoutAResidualItIsDdpm) {
  // y = x0 for the network's guess: the state moves as DDPM's ancestral sampler moves it.
  const Resfusion process(configured(12));
  const at::Tensor x0 = draw("x0");
  const FunctionDenoiser denoiser([&](const at::Tensor& x, double t, const Condition& condition) {
    return estimates_from(Target::kX0, condition.y, x, condition.y, process.at(t), {});
  });
  CounterNoise noise(4);
  std::vector<at::Tensor> states;
  run_sampler(component("resfusion_ancestral"), x0, process, denoiser, noise,
              [&](std::int64_t, const at::Tensor& state) { states.push_back(state); });
  CounterNoise again(4);
  at::Tensor x = process.prior(x0, again, "item");
  for (int i = 4; i > 0; --i) {
    const Neighbours n = neighbours(process, i);
    const at::Tensor eps = (x - std::sqrt(n.hat) * x0) / std::sqrt(1 - n.hat);
    const at::Tensor z = draw_like(again, {"item", "predictor", static_cast<std::uint32_t>(4 - i)}, x);
    x = (x - n.beta / std::sqrt(1 - n.hat) * eps) / std::sqrt(n.alpha) +
        std::sqrt((1 - n.hat_before) / (1 - n.hat) * n.beta) * z;
    EXPECT_LT(largest(states[4 - i] - x), 1e-12) << i;
  }
}

TEST(ClippedDenoiser, ClipsTheImageAndKeepsOrDerivesTheNoise) {
  const Resfusion process(configured(12));
  const at::Tensor y = at::full({1, 1, 1, 1}, 0.5, at::kDouble), x = at::full_like(y, 0.1);
  const FunctionDenoiser inner([](const at::Tensor& state, double, const Condition&) {
    return Estimates{at::full_like(state, 3), at::full_like(state, 7), at::full_like(state, 2)};
  });
  const Estimates kept = ClippedDenoiser(inner, 1, false, process)(x, 0.6, Condition{y});
  EXPECT_EQ(kept.x0.item<double>(), 1);
  EXPECT_EQ(kept.eps.item<double>(), 7);
  EXPECT_FALSE(kept.residual.defined());
  const Estimates derived = ClippedDenoiser(inner, 1, true, process)(x, 0.6, Condition{y});
  const Marginal m = process.at(0.6);
  EXPECT_NEAR(derived.eps.item<double>(), (0.1 - m.a.scalar() - 0.5 * m.b.scalar()) / m.c.scalar(), 1e-12);
}

}  // namespace
}  // namespace reseda::diffusion
