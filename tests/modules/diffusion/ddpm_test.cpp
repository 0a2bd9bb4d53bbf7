#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "modules/diffusion/clipped_denoiser.hpp"
#include "modules/diffusion/guided_denoiser.hpp"
#include "modules/diffusion/oracles/gaussian.hpp"
#include "modules/diffusion/processes/ddpm.hpp"
#include "modules/diffusion/samplers/ancestral_step.hpp"
#include "modules/diffusion/samplers/ddim_inversion.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::diffusion {
namespace {

using Steps = std::vector<std::int64_t>;

double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }

DdpmScheduleConfig schedule_of(const std::string& name, std::int64_t steps, double first = 1e-4, double last = 0.02) {
  return {.schedule = name, .steps = steps, .beta_first = first, .beta_last = last};
}

Ddpm process_of(DdpmScheduleConfig config, bool rescale = false) {
  return Ddpm({.coefficients = std::move(config), .rescale_timesteps = rescale});
}

void expect_values(const at::Tensor& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.numel(), static_cast<std::int64_t>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(found[static_cast<std::int64_t>(i)].item<double>(), expected[i], 1e-15) << i;
}

at::Tensor draw(const char* stream) {
  CounterNoise noise(11);
  return draw_like(noise, {"x", stream, 0}, at::empty({2, 3, 4, 5}, at::kDouble));
}

TEST(DdpmSchedule, HasTheProductsOfTheLinearSchedule) {
  const at::Tensor products = ddpm_schedule({}).alphas_cumprod;
  const std::pair<std::int64_t, double> expected[] = {{0, 0.9999},
                                                      {9, 0.998105204786},
                                                      {99, 0.897018145675},
                                                      {250, 0.521423030619},
                                                      {499, 0.0785872428818},
                                                      {750, 0.00330015836157},
                                                      {999, 4.03582976538e-5}};
  for (const auto& [step, value] : expected) EXPECT_NEAR(products[step].item<double>(), value, 1e-12 * (1 + value));
  // Scaled for fewer steps.
  DdpmScheduleConfig few = schedule_of("linear", 250);
  few.beta_steps = 1000;
  const at::Tensor betas = ddpm_schedule(few).betas;
  EXPECT_NEAR(betas[0].item<double>(), 4e-4, 1e-18);
  EXPECT_NEAR(betas[249].item<double>(), 0.08, 1e-16);
}

TEST(DdpmSchedule, HasTheBetasOfEachFormula) {
  expect_values(ddpm_schedule(schedule_of("linear", 3, 0.1, 0.3)).betas, {0.1, 0.2, 0.3});
  expect_values(ddpm_schedule(schedule_of("quad", 3, 0.04, 0.16)).betas, {0.04, 0.09, 0.16});
  expect_values(ddpm_schedule(schedule_of("scaled_linear", 3, 0.04, 0.16)).betas, {0.04, 0.09, 0.16});
  expect_values(ddpm_schedule(schedule_of("const", 3, 0.1, 0.3)).betas, {0.3, 0.3, 0.3});
  expect_values(ddpm_schedule(schedule_of("jsd", 4)).alphas_cumprod, {0.75, 0.5, 0.25, 0});
  const double low = 1 / (1 + std::exp(6.0));
  expect_values(ddpm_schedule(schedule_of("sigmoid", 3, 0.1, 0.3)).betas, {0.1 + 0.2 * low, 0.2, 0.3 - 0.2 * low});
  const auto f = [](double u) { return std::pow(std::cos((u + 0.008) / 1.008 * std::numbers::pi / 2), 2); };
  expect_values(ddpm_schedule(schedule_of("cosine", 2)).betas, {1 - f(0.5) / f(0), 0.999});
}

TEST(DdpmSchedule, KeepsTheStepsThatARespacingNames) {
  EXPECT_EQ(space_timesteps(10, "3"), (Steps{0, 4, 9}));  // 0, 4.5, 9: halves go to even
  EXPECT_EQ(space_timesteps(10, "ddim5"), (Steps{0, 2, 4, 6, 8}));
  EXPECT_EQ(space_timesteps(5, "2,2"), (Steps{0, 2, 3, 4}));
  EXPECT_EQ(space_timesteps(5, "0,1"), (Steps{3}));
  EXPECT_EQ(space_timesteps(4, "4"), (Steps{0, 1, 2, 3}));
  for (const char* wrong : {"", "x", "3,", "-1", "ddim", "ddim7", "3.5", "0", "11", "99999999999999999999"})
    EXPECT_EQ(error_of([&] { space_timesteps(10, wrong); }).first, Errc::kUsage) << wrong;
}

TEST(Ddpm, IsTheSameProcessAtTheStepsItKeeps) {
  const Ddpm all = process_of({});
  for (const char* respacing : {"ddim25", "25", "10,15,20"}) {
    DdpmScheduleConfig config;
    config.respacing = respacing;
    const Ddpm few = process_of(config);
    const auto count = static_cast<double>(few.steps());
    for (std::int64_t i = 0; i < few.steps(); ++i) {
      const double t = static_cast<double>(i + 1) / count;
      const auto step = static_cast<double>(few.schedule().kept[static_cast<std::size_t>(i)]);
      EXPECT_EQ(few.network_time(t), step);
      EXPECT_NEAR(few.at(t).a.scalar(), all.at((step + 1) / 1000).a.scalar(), 1e-14);
    }
    // The steps kept do all the work.
    EXPECT_NEAR((1 - few.schedule().betas).prod().item<double>(), std::pow(few.at(1).a.scalar(), 2), 1e-14);
  }
}

TEST(Ddpm, TellsTheNetworkItsSteps) {
  EXPECT_EQ(process_of({}).network_time(1), 999);
  EXPECT_EQ(process_of({}).network_time(0.001), 0);
  EXPECT_EQ(process_of({}).network_time(0), -1);
  EXPECT_NEAR(process_of({}).network_time(0.5005), 499.5, 1e-9);
  EXPECT_NEAR(process_of(schedule_of("cosine", 4000), true).network_time(1), 999.75, 1e-12);
  DdpmScheduleConfig config;
  config.respacing = "ddim5";
  EXPECT_EQ(process_of(config).network_time(1), 800);
  EXPECT_NEAR(process_of(config).network_time(0.5), 300, 1e-9);  // half way between 200 and 400
}

TEST(Ddpm, StartsFromNoiseAloneAndEndsAtItsFirstStep) {
  const Ddpm process = process_of({});
  ZeroNoise silent;
  EXPECT_EQ(largest(process.prior(at::ones({1, 1, 2, 2}), silent, "x")), 0);
  EXPECT_EQ(process.t_end(), 0.001);
  EXPECT_EQ(process.nearest_time(0.49991), 0.5);
  const Ddpm none_left = process_of(schedule_of("jsd", 10));
  EXPECT_EQ(none_left.at(1).a.scalar(), 0);
  EXPECT_EQ(none_left.at(1).c.scalar(), 1);
  EXPECT_NEAR(none_left.at(0.33).a.scalar(), std::sqrt(0.67), 1e-14);
}

TEST(Ddpm, RefusesSettingsByName) {
  const auto refuses = [](const char* key, const char* value, const std::string& message) {
    const auto [code, text] = error_of([&] { make_process(component("ddpm", {{key, value}})); });
    EXPECT_EQ(code, Errc::kUsage);
    EXPECT_NE(text.find(message), std::string::npos) << text;
  };
  refuses("schedule", "linera", "process.schedule must be one of");
  refuses("steps", "0", "process.steps must be in 1 to 100000, got 0");
  refuses("beta_last", "1", "process.beta_first and beta_last");
  refuses("beta_steps", "200000", "process.beta_steps must be in 0 to 100000, got 200000");
  refuses("respacing", "1001", "process.respacing '1001' keeps 1001 steps of a section of 1000");
  refuses("respacing", "ddim300", "process.respacing ddim300: no stride over 1000 steps keeps 300");
  refuses("times", "some", "process.times must be one of");
  refuses("last_index", "999", "process.last_index must be in -1 to 998 for these steps, got 999");
}

TEST(AncestralStep, IsThePosteriorOfTheChain) {
  // abar 0.5 after 0.8: alpha 0.625, beta 0.375.
  const Marginal from{std::sqrt(0.5), 0.0, std::sqrt(0.5)}, to{std::sqrt(0.8), 0.0, std::sqrt(0.2)};
  const AncestralStep step = ancestral_step(from, to, "test");
  EXPECT_NEAR(step.forward.scalar(), 0.375, 1e-15);
  EXPECT_NEAR(step.posterior.scalar(), 0.375 * 0.2 / 0.5, 1e-15);
  EXPECT_NEAR(step.x0.scalar(), std::sqrt(0.8) * 0.375 / 0.5, 1e-15);
  EXPECT_NEAR(step.state.scalar(), std::sqrt(0.625) * 0.2 / 0.5, 1e-15);
  // Noise that explodes adds the difference of its variances; the measurement keeps the mean on the bridge.
  const AncestralStep bridge = ancestral_step({1.0, 0.6, 2.0}, {1.0, 0.1, 1.0}, "test");
  EXPECT_NEAR(bridge.forward.scalar(), 3, 1e-15);
  EXPECT_NEAR(bridge.state.scalar(), 0.25, 1e-15);
  EXPECT_NEAR(bridge.state.scalar() * 0.6 + bridge.y.scalar(), 0.1, 1e-15);
  const auto [code, message] = error_of([] { ancestral_step({1.0, 0.0, 0.5}, {1.0, 0.0, 1.0}, "name"); });
  EXPECT_EQ(code, Errc::kUsage);
  EXPECT_NE(message.find("sampler name draws fresh noise"), std::string::npos) << message;
}

TEST(AncestralStep, LearnsItsVarianceBetweenTheFixedOnes) {
  const AncestralStep step =
      ancestral_step({std::sqrt(0.5), 0.0, std::sqrt(0.5)}, {std::sqrt(0.8), 0.0, std::sqrt(0.2)}, "");
  const double high = 0.375, low = 0.15;
  EXPECT_EQ(step_variance(StepVariance::kFixedLarge, step, {}).scalar(), step.forward.scalar());
  EXPECT_EQ(step_variance(StepVariance::kFixedSmall, step, {}).scalar(), step.posterior.scalar());
  const at::Tensor learned =
      step_variance(StepVariance::kLearnedRange, step, at::tensor({0.0, 0.25, 1.0}, at::kDouble)).value;
  expect_values(learned, {low, std::pow(low, 0.75) * std::pow(high, 0.25), high});
  EXPECT_EQ(error_of([&] { step_variance(StepVariance::kLearnedRange, step, {}); }).first, Errc::kUsage);
  // At the last step the table of the step before stands in.
  const AncestralStep end = ancestral_step({std::sqrt(0.9), 0.0, std::sqrt(0.1)}, {1.0, 0.0, 0.0}, "");
  EXPECT_EQ(end.posterior.scalar(), 0);
  EXPECT_NEAR(end.x0.scalar(), 1, 1e-15);
  EXPECT_EQ(last_step(StepVariance::kFixedSmall, end, 0.02).posterior.scalar(), 0);
  EXPECT_EQ(last_step(StepVariance::kFixedLarge, end, 0.02).forward.scalar(), 0.02);
  EXPECT_EQ(last_step(StepVariance::kLearnedRange, end, 0.02).posterior.scalar(), 0.02);
}

/// x0 and the place of the variance as simple functions of the state, with a gradient or without.
FunctionDenoiser invented(const Process& process, double guidance = 0) {
  return FunctionDenoiser([&process, guidance](const at::Tensor& x, double t, const Condition& condition) {
    const at::Tensor x0 = 2 * at::sin(3 * t + x);
    Estimates found = estimates_from(Target::kX0, x0, x, condition.y, process.at(t), {});
    found.variance_share = at::sigmoid(x);
    if (guidance != 0) {
      found.unguided_x0 = x0;
      found.x0 = at::full_like(x, 100.0);
      found.guidance = guidance * at::cos(x);
    }
    return found;
  });
}

TEST(DdpmAncestral, TakesTheStepsOfTheOfficialSampler) {
  DdpmScheduleConfig config = schedule_of("linear", 20, 0.01, 0.2);
  const Ddpm process = process_of(config);
  const at::Tensor products = process.schedule().alphas_cumprod;
  const at::Tensor y = draw("y");
  const double gain = 0.7;
  for (const char* variance : {"fixed_small", "fixed_large", "learned_range"}) {
    CounterNoise noise(3), again(3);
    std::vector<at::Tensor> states;
    run_sampler(component("ddpm_ancestral", {{"steps", "3"}, {"variance", variance}, {"clip", "1"}}), y, process,
                invented(process, gain), noise,
                [&](std::int64_t, const at::Tensor& state) { states.push_back(state); });
    at::Tensor x = process.prior(y, again, "item");
    const std::vector<std::int64_t> indices = {19, 10, 0};  // 0, 9.5, 19
    double before = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      const double abar = products[indices[i]].item<double>(),
                   prev = i < 2 ? products[indices[i + 1]].item<double>() : 1;
      const double beta = 1 - abar / prev, tilde = beta * (1 - prev) / (1 - abar), low = i < 2 ? tilde : before;
      const double t = static_cast<double>(indices[i] + 1) / 20;
      const at::Tensor x0 = (2 * at::sin(3 * t + x)).clamp(-1, 1), share = at::sigmoid(x), g = gain * at::cos(x);
      at::Tensor v = at::full_like(x, tilde);
      if (std::string(variance) == "fixed_large") v.fill_(i < 2 ? beta : before);
      if (std::string(variance) == "learned_range") v = at::exp(share * std::log(beta) + (1 - share) * std::log(low));
      const at::Tensor z = draw_like(again, {"item", "predictor", static_cast<std::uint32_t>(i)}, x);
      const at::Tensor mean =
          beta * std::sqrt(prev) / (1 - abar) * x0 + std::sqrt(1 - beta) * (1 - prev) / (1 - abar) * x;
      x = mean + v * g + (i < 2 ? 1.0 : 0.0) * v.sqrt() * z;
      EXPECT_LT(largest(states[i] - x), 1e-12) << variance << i;
      before = tilde;
    }
  }
}

TEST(DdpmAncestral, VisitsEveryStepUnlessToldOtherwiseAndDrawsInEach) {
  const Ddpm process = process_of(schedule_of("linear", 20, 0.01, 0.2));
  ListedNoise noise;
  run_sampler(component("ddpm_ancestral"), draw("y"), process, invented(process), noise);
  EXPECT_EQ(noise.draws.size(), 21U);
  EXPECT_EQ(noise.draws.front(), "prior 0");
  EXPECT_EQ(noise.draws.back(), "predictor 19");
  const auto [code, message] = error_of([&] {
    run_sampler(component("ddpm_ancestral", {{"steps", "21"}}), draw("y"), process, invented(process), noise);
  });
  EXPECT_EQ(code, Errc::kUsage);
  EXPECT_NE(message.find("must be at most the process's 20 steps, got 21"), std::string::npos) << message;
}

TEST(DdpmAncestral, IsDdimWithAllTheNoiseOfThePosterior) {
  const Ddpm process = process_of(schedule_of("linear", 20, 0.01, 0.2));
  CounterNoise noise(9), again(9);
  const at::Tensor y = draw("y");
  const at::Tensor found = run_sampler(component("ddpm_ancestral"), y, process, invented(process), noise);
  const ConfigNode ddim = component("bridge_ddim", {{"steps", "20"}, {"grid", "trailing"}, {"eta", "1"}});
  EXPECT_LT(largest(run_sampler(ddim, y, process, invented(process), again) - found), 1e-12);
}

TEST(DdpmAncestral, RefusesWhatItCannotDo) {
  const Ddpm process = process_of({});
  const GaussianOracle oracle(at::zeros({1}, at::kDouble), 0.4, process);
  ZeroNoise noise;
  const auto run = [&](const std::string& key, const std::string& value, at::ScalarType type) {
    return error_of([&] {
      run_sampler(component("ddpm_ancestral", {{key, value}}), at::zeros({1, 1, 2, 2}, type), process, oracle, noise);
    });
  };
  EXPECT_NE(run("variance", "learned_range", at::kDouble).second.find("twice the channels"), std::string::npos);
  EXPECT_NE(run("clip", "1", at::kComplexFloat).second.find("must be 0 for complex signals"), std::string::npos);
  EXPECT_NE(run("variance", "learned", at::kDouble).second.find("sampler.variance must be one of"), std::string::npos);
  EXPECT_NE(run("clip", "-1", at::kDouble).second.find("sampler.clip must be >= 0, got -1"), std::string::npos);
}

TEST(DdpmAncestral, HasTheVarianceOfGaussianData) {
  // From the exact denoiser of N(0.3, 0.5^2) the samples have its mean and variance.
  const Ddpm process = process_of(schedule_of("linear", 200, 5e-4, 0.1));
  const GaussianOracle oracle(at::full({1}, 0.3, at::kDouble), 0.5, process);
  CounterNoise noise(17);
  const at::Tensor y = at::empty({1, 1, 100, 200}, at::kDouble);
  const at::Tensor x = run_sampler(component("ddpm_ancestral"), y, process, oracle, noise);
  EXPECT_NEAR(x.mean().item<double>(), 0.3, 0.02);
  EXPECT_NEAR(x.var().item<double>(), 0.25, 0.03);
}

TEST(NetworkDenoiser, TakesTheSecondHalfOfThePredictionForTheVariance) {
  const Ddpm process = process_of({});
  const at::Tensor x = draw("x"), eps = draw("eps");
  const NetworkDenoiser denoiser(
      [&](const at::Tensor&, const at::Tensor&, const at::Tensor&) {
        return at::cat({eps, at::full_like(eps, 0.5)}, 1);
      },
      Target::kEps, process);
  const Estimates found = denoiser(x, 0.5, {});
  EXPECT_TRUE(at::equal(found.eps, eps));
  EXPECT_EQ(found.variance_share.sizes(), x.sizes());
  EXPECT_EQ(found.variance_share.min().item<double>(), 0.75);
  const Estimates clipped = ClippedDenoiser(denoiser, 1, true, process)(x, 0.5, {});
  EXPECT_TRUE(at::equal(clipped.variance_share, found.variance_share));
}

TEST(GuidedDenoiser, AddsTheGradientToTheScore) {
  // Prior N(0, 1) and a likelihood of the state itself: with ln p = -(x - m)^2 / 2 the score is -x - s (x - m).
  const Ddpm process = process_of({});
  const GaussianOracle prior(at::zeros({1}, at::kDouble), 1.0, process);
  const at::Tensor x = draw("x"), parameter = at::full({1}, 2.0, at::kDouble).requires_grad_();
  const auto gradient = log_gradient([&](const at::Tensor& state, const at::Tensor& t) {
    EXPECT_EQ(t[0].item<float>(), 499.F);
    return -(state - parameter).square().flatten(1).sum(1) / 2;
  });
  const c10::InferenceMode inference;
  const double t = 0.5, scale = 3;
  const Estimates found = GuidedDenoiser(prior, gradient, scale, process)(x, t, {});
  const Marginal m = process.at(t);
  const at::Tensor score = -x - scale * (x - 2.0);
  EXPECT_LT(largest(found.eps + m.c * score), 1e-12);
  EXPECT_LT(largest(m.a * found.x0 + m.c * found.eps - x), 1e-12);
  EXPECT_LT(largest(found.unguided_x0 - prior(x, t, {}).x0), 1e-15);
  EXPECT_LT(largest(found.guidance + scale * (x - 2.0)), 1e-12);
  EXPECT_FALSE(parameter.grad().defined());
}

TEST(DdimInversion, IsUndoneByDdim) {
  const Ddpm process = process_of(schedule_of("linear", 400, 2.5e-4, 0.05));
  const GaussianOracle oracle(at::full({1}, 0.3, at::kDouble), 0.5, process);
  const at::Tensor image = draw("image");
  ZeroNoise silent;
  SampleContext context{.noise = silent, .item = "item", .on_step = {}, .trace = {}};
  const at::Tensor noise = invert_ddim(image, process, oracle, context);
  RecordedNoise start({noise.to(at::kFloat)});
  const at::Tensor back =
      run_sampler(component("bridge_ddim", {{"steps", "400"}, {"grid", "trailing"}}), image, process, oracle, start);
  EXPECT_LT(largest(back - image), 0.03 * largest(image));
  // What comes from N(0.3, 0.25) goes to N(0, 1).
  EXPECT_LT(largest(noise - (image - 0.3) / 0.5), 0.03 * largest(noise));
}

TEST(DdimInversion, NeedsATableAndNoMeasurement) {
  ZeroNoise silent;
  SampleContext context{.noise = silent, .item = "item", .on_step = {}, .trace = {}};
  const at::Tensor image = draw("image");
  for (const char* name : {"ou_ve", "rddm"}) {
    const auto process = make_process(component(name));
    const GaussianOracle oracle(at::zeros({1}, at::kDouble), 1.0, *process);
    EXPECT_EQ(error_of([&] { invert_ddim(image, *process, oracle, context); }).first, Errc::kUsage) << name;
  }
}

}  // namespace
}  // namespace reseda::diffusion
