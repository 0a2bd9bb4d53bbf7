#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/diffusion/processes/rddm.hpp"
#include "modules/diffusion/rddm_denoiser.hpp"
#include "modules/diffusion/samplers/rddm_step.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::diffusion {
namespace {

double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }

Rddm process_of(const std::string& schedule, std::int64_t steps = 100, const std::string& start = "measurement") {
  RddmConfig config;
  config.coefficients.schedule = schedule;
  config.coefficients.steps = steps;
  config.start = start;
  return Rddm(config);
}

at::Tensor draw(const char* stream) {
  CounterNoise noise(11);
  return draw_like(noise, {"x", stream, 0}, at::empty({2, 3, 4, 5}, at::kDouble));
}

/// A denoiser whose estimate of x0 changes with the state and is not right, and whose eps agrees with it.
FunctionDenoiser consistent(const Process& process) {
  return FunctionDenoiser([&process](const at::Tensor& x, double t, const Condition& condition) {
    const at::Tensor x0 = 0.3 * x + 0.1 * at::sin(7 * t + condition.y);
    return estimates_from(Target::kX0, x0, x, condition.y, process.at(t), {});
  });
}

at::Tensor sample(const ConfigNode& config, const at::Tensor& y, const Process& process, const Denoiser& denoiser) {
  CounterNoise noise(5);
  return run_sampler(config, y, process, denoiser, noise);
}

TEST(RddmStep, FormsAgreeOnConsistentEstimates) {
  const at::Tensor x0 = draw("x0"), y = draw("y"), eps = draw("eps"), z = draw("z");
  for (const char* schedule : {"ramp", "power", "ddim"}) {
    const Rddm process = process_of(schedule);
    for (const double eta : {0.0, 0.3, 1.0}) {
      const Marginal from = process.at(0.7), to = process.at(0.4);
      const at::Tensor x = from.sample(x0, y, eps);
      const auto apply = [&](RddmUpdate update) {
        const RddmStep s = rddm_step(update, from, to, eta);
        return s.state * x + s.x0 * x0 + s.residual * (y - x0) + s.eps * eps + s.noise * z;
      };
      EXPECT_LT(largest(apply(RddmUpdate::kRelative) - apply(RddmUpdate::kMixed)), 1e-12) << schedule << eta;
      const RddmStep s = rddm_step(RddmUpdate::kRelative, from, to, eta);
      // Mean and variance of the marginal at the cleaner time.
      const double c = from.c.scalar(), kept = s.state.scalar() * c + s.eps.scalar();
      EXPECT_NEAR(kept * kept + s.noise.scalar() * s.noise.scalar(), to.c.scalar() * to.c.scalar(), 1e-12);
      EXPECT_NEAR(s.noise.scalar() * s.noise.scalar(),
                  eta * (c * c - std::pow(to.c.scalar(), 2)) * std::pow(to.c.scalar() / c, 2), 1e-12);
    }
  }
}

TEST(RddmStep, HasTheSpecialFormsOfTheOfficialCode) {
  const Rddm process = process_of("ramp");
  const Marginal from = process.at(0.8), to = process.at(0.5);
  const double b = from.b.scalar(), c = from.c.scalar(), b_to = to.b.scalar(), c_to = to.c.scalar();
  const RddmStep none = rddm_step(RddmUpdate::kRelative, from, to, 0),
                 all = rddm_step(RddmUpdate::kRelative, from, to, 1);
  EXPECT_NEAR(none.state.scalar(), 1, 1e-15);
  EXPECT_NEAR(none.residual.scalar(), b_to - b, 1e-15);
  EXPECT_NEAR(none.eps.scalar(), c_to - c, 1e-15);
  EXPECT_NEAR(all.eps.scalar(), -(c * c - c_to * c_to) / c, 1e-14);
  EXPECT_NEAR(all.noise.scalar(), std::sqrt(c * c - c_to * c_to) * c_to / c, 1e-14);
}

TEST(RddmStep, HasTheOfficialPosteriorOverOneStep) {
  const Rddm process = process_of("ramp", 50);
  const RddmSchedule& s = process.schedule();
  for (const int t : {1, 10, 49}) {
    const RddmStep step = rddm_step(RddmUpdate::kMixed, process.at((t + 1) / 50.0), process.at(t / 50.0), 1);
    EXPECT_NEAR(step.state.scalar(), s.posterior_mean_coef1[t].item<double>(), 1e-6) << t;
    EXPECT_NEAR(step.residual.scalar(), s.posterior_mean_coef2[t].item<double>(), 1e-6) << t;
    EXPECT_NEAR(step.x0.scalar(), s.posterior_mean_coef3[t].item<double>(), 1e-6) << t;
    EXPECT_NEAR(std::pow(step.noise.scalar(), 2), s.posterior_variance[t].item<double>(), 1e-6) << t;
  }
}

TEST(RddmSamplers, AncestralIsTheStridedOneWithAllStepsAndNoise) {
  const at::Tensor y = draw("y");
  const Rddm process = process_of("ramp", 20);
  const FunctionDenoiser denoiser = consistent(process);
  const at::Tensor all = sample(component("rddm_ancestral"), y, process, denoiser);
  const auto strided = [&](const char* update) {
    return sample(component("rddm_ddim", {{"steps", "20"}, {"eta", "1"}, {"update", update}}), y, process, denoiser);
  };
  EXPECT_LT(largest(strided("relative") - all), 1e-11);
  EXPECT_LT(largest(strided("mixed") - all), 1e-12);
}

TEST(RddmSamplers, WithoutNoiseTheyAreDdimOnTheBridge) {
  const at::Tensor y = draw("y");
  for (const char* schedule : {"ramp", "power", "ddim"}) {
    const Rddm process = process_of(schedule);
    const FunctionDenoiser denoiser = consistent(process);
    const at::Tensor rddm = sample(component("rddm_ddim", {{"steps", "4"}}), y, process, denoiser);
    const at::Tensor ddim =
        sample(component("bridge_ddim", {{"times", "[1.0, 0.75, 0.5, 0.25]"}}), y, process, denoiser);
    EXPECT_LT(largest(rddm - ddim), 1e-11) << schedule;
  }
}

TEST(RddmSamplers, VisitTheOfficialIndices) {
  const auto visited = [](const Process& process, const std::vector<std::pair<std::string, std::string>>& keys) {
    std::vector<std::int64_t> indices;
    const FunctionDenoiser denoiser([&](const at::Tensor& x, double t, const Condition&) {
      indices.push_back(std::llround(process.network_time(t)));
      return Estimates{at::zeros_like(x), at::zeros_like(x)};
    });
    ZeroNoise noise;
    run_sampler(component("rddm_ddim", keys), at::zeros({1, 1, 1, 1}), process, denoiser, noise);
    return indices;
  };
  using Indices = std::vector<std::int64_t>;
  const Rddm process = process_of("ramp", 1000);
  EXPECT_EQ(visited(process, {{"steps", "1"}}), (Indices{999}));
  EXPECT_EQ(visited(process, {{"steps", "3"}}), (Indices{999, 665, 332}));
  EXPECT_EQ(visited(process, {{"steps", "5"}}), (Indices{999, 799, 599, 399, 199}));
  EXPECT_EQ(visited(process, {{"indices", "[900, 10, 0]"}}), (Indices{900, 10, 0}));
  const Indices nearly_all = visited(process, {{"steps", "999"}});
  EXPECT_EQ(nearly_all[1], 997);  // float32 spacing skips 998
  const auto [code, message] = error_of([&] { visited(process, {{"steps", "1001"}}); });
  EXPECT_EQ(code, Errc::kUsage);
  EXPECT_EQ(message, "sampler.steps of rddm_ddim must be at most the process's 1000 steps, got 1001");
  EXPECT_EQ(error_of([&] {
              visited(process, {{"indices", "[5, 5]"}});
            }).second,
            "sampler.indices of rddm_ddim must fall from at most 999 to at least 0, got 5");
}

TEST(RddmSamplers, DrawOnlyWhatTheyUse) {
  const Rddm process = process_of("ramp", 4);
  const FunctionDenoiser denoiser = consistent(process);
  const auto draws = [&](const ConfigNode& config) {
    ListedNoise noise;
    run_sampler(config, at::zeros({1, 1, 1, 1}, at::kDouble), process, denoiser, noise);
    return noise.draws;
  };
  using Draws = std::vector<std::string>;
  EXPECT_EQ(draws(component("rddm_ddim", {{"steps", "3"}})), (Draws{"prior 0"}));
  EXPECT_EQ(draws(component("rddm_ddim", {{"steps", "3"}, {"eta", "0.5"}})),
            (Draws{"prior 0", "predictor 0", "predictor 1"}));
  EXPECT_EQ(draws(component("rddm_ddim", {{"steps", "3"}, {"eta", "1"}, {"noise_scale", "0"}})), (Draws{"prior 0"}));
  EXPECT_EQ(draws(component("rddm_ancestral")), (Draws{"prior 0", "predictor 0", "predictor 1", "predictor 2"}));
  EXPECT_EQ(draws(component("rddm_two_pass", {{"steps", "2"}, {"eta", "1"}})),
            (Draws{"prior 0", "predictor 0", "predictor 2"}));
  EXPECT_EQ(draws(component("resfusion_ancestral")),
            (Draws{"prior 0", "predictor 0", "predictor 1", "predictor 2", "predictor 3"}));
}

TEST(RddmSamplers, FeedTheEstimateBack) {
  const Rddm process = process_of("ramp", 4);
  std::vector<double> seen;
  const FunctionDenoiser denoiser([&](const at::Tensor& x, double t, const Condition& condition) {
    seen.push_back(condition.x0_before.defined() ? condition.x0_before.item<double>() : -1);
    return Estimates{at::full_like(x, t), at::zeros_like(x)};
  });
  sample(component("rddm_ddim", {{"steps", "4"}}), at::zeros({1, 1, 1, 1}), process, denoiser);
  EXPECT_EQ(seen, (std::vector<double>{-1, 1, 0.75, 0.5}));
}

/// Exact residual and noise whatever the state, as two networks that know the truth would give them.
FunctionDenoiser knowing(const at::Tensor& x0, const at::Tensor& eps, std::vector<at::Tensor>* states = nullptr) {
  return FunctionDenoiser([x0, eps, states](const at::Tensor& x, double, const Condition& condition) {
    if (states != nullptr) states->push_back(x);
    return Estimates{x0, eps, condition.y - x0};
  });
}

TEST(RddmSamplers, UseTheNetworksOwnResidual) {
  // x0 = x - abar R - bbar eps of two predictions that do not agree; the step takes R, not y - x0.
  const Rddm process = process_of("ramp", 4);
  const NetworkDenoiser denoiser(
      [](const at::Tensor& x, const at::Tensor&, const at::Tensor&) {
        return at::cat({at::full_like(x, 0.25), at::full_like(x, 0.5)}, 1);
      },
      Target::kResidualAndNoise, process);
  std::vector<double> states;
  RecordedNoise noise({at::full({1, 1, 1, 1}, 2.0F)});
  run_sampler(component("rddm_ddim", {{"steps", "4"}}), at::full({1, 1, 1, 1}, 3.0, at::kDouble), process, denoiser,
              noise, [&](std::int64_t, const at::Tensor& state) { states.push_back(state.item<double>()); });
  const Marginal from = process.at(1), to = process.at(0.75);
  const double step = (to.b.scalar() - from.b.scalar()) * 0.25 + (to.c.scalar() - from.c.scalar()) * 0.5;
  EXPECT_NEAR(states[0], 5 + step, 1e-12);
}

TEST(RddmSamplers, StartLowerInTheTable) {
  RddmConfig config;
  config.coefficients.steps = 10;
  config.first_index = 4;
  const Rddm process(config);
  std::vector<std::int64_t> indices;
  const FunctionDenoiser denoiser([&](const at::Tensor& x, double t, const Condition&) {
    indices.push_back(std::llround(process.network_time(t)));
    return Estimates{at::zeros_like(x), at::zeros_like(x)};
  });
  ZeroNoise noise;
  run_sampler(component("rddm_ddim", {{"steps", "3"}}), at::zeros({1, 1, 1, 1}), process, denoiser, noise);
  EXPECT_EQ(indices, (std::vector<std::int64_t>{4, 2, 0}));
  EXPECT_EQ(error_of([&] {
              run_sampler(component("rddm_ddim", {{"steps", "6"}}), at::zeros({1, 1, 1, 1}), process, denoiser, noise);
            }).second,
            "sampler.steps of rddm_ddim must be at most the process's 5 steps, got 6");
}

TEST(RddmTwoPass, TakesOnePartAwayInEachPass) {
  const Rddm process = process_of("ramp", 4);
  const at::Tensor x0 = draw("x0"), y = draw("y"), eps = draw("eps").to(at::kFloat).to(at::kDouble);
  const auto states = [&](const char* order) {
    std::vector<at::Tensor> seen;
    RecordedNoise noise({eps.to(at::kFloat)});
    const at::Tensor end =
        run_sampler(component("rddm_two_pass", {{"steps", "4"}, {"order", order}, {"handover", "state"}}), y, process,
                    knowing(x0, eps, &seen), noise);
    EXPECT_LT(largest(end - x0), 1e-12);
    return seen;
  };
  const auto state = [&](double abar, double bbar) { return x0 + abar * (y - x0) + bbar * eps; };
  const auto at_index = [&](int i) { return process.at((i + 1) / 4.0); };
  const std::vector<at::Tensor> residual = states("residual_first"), noise = states("noise_first");
  ASSERT_EQ(residual.size(), 8U);
  for (int k = 0; k < 4; ++k) {
    const Marginal m = at_index(3 - k);
    EXPECT_LT(largest(residual[k] - state(m.b.scalar(), 1)), 1e-7) << k;
    EXPECT_LT(largest(residual[4 + k] - state(0, m.c.scalar())), 1e-7) << k;
    EXPECT_LT(largest(noise[k] - state(1, m.c.scalar())), 1e-7) << k;
    EXPECT_LT(largest(noise[4 + k] - state(m.b.scalar(), 0)), 1e-7) << k;
  }
}

TEST(RddmTwoPass, HandsOverTheImageAsTheOfficialCodeDoes) {
  const Rddm process = process_of("ramp", 4);
  const at::Tensor x0 = draw("x0"), y = draw("y"), eps = draw("eps");
  std::vector<at::Tensor> seen;
  sample(component("rddm_two_pass", {{"steps", "4"}}), y, process, knowing(x0, eps, &seen));
  EXPECT_TRUE(at::equal(seen[4], x0));
  const auto [code, message] =
      error_of([&] { sample(component("rddm_two_pass"), y, *make_process(component("resfusion")), knowing(x0, eps)); });
  EXPECT_EQ(code, Errc::kUsage);
  EXPECT_EQ(message, "sampler rddm_two_pass needs a process whose weights on x0 and y sum to 1, such as rddm");
}

TEST(RddmSamplers, OneStepIsExactWithinTheClipAndOffByItBeyond) {
  const Rddm process = process_of("ramp", 10);
  const at::Tensor x0 = at::full({1, 1, 1, 1}, -0.9, at::kDouble), eps = at::full_like(x0, 0.25);
  for (const double level : {0.0, 0.6}) {
    const at::Tensor y = at::full_like(x0, level);
    const RddmDenoiser denoiser(
        [&](const at::Tensor&, const Condition&, const at::Tensor&) {
          return at::cat({y - x0, eps}, 1);
        },
        {}, process);
    RecordedNoise noise({eps.to(at::kFloat)});
    const double deficit = std::max(level + 0.9 - 1.0, 0.0);
    EXPECT_NEAR(run_sampler(component("rddm_ddim", {{"steps", "10"}}), y, process, denoiser, noise).item<double>(),
                -0.9 + deficit, 1e-7);
  }
}

TEST(RddmFromDdim, BothFormsAgreeWithoutAClip) {
  const Rddm process = process_of("ddim", 100, "noise");
  const at::Tensor y = at::zeros({2, 3, 4, 5}, at::kDouble);
  const FunctionDenoiser denoiser = consistent(process);
  for (const char* eta : {"0", "0.4", "1"}) {
    const auto form = [&](const char* name) {
      return sample(component("rddm_from_ddim", {{"form", name}, {"clip", "0"}, {"eta", eta}}), y, process, denoiser);
    };
    EXPECT_LT(largest(form("residual") - form("ddim")), 1e-9) << eta;
  }
}

TEST(RddmFromDdim, WithAnActiveClipTheFormsDifferByTheClippedPart) {
  // After one step: sqrt(ab_t) (x0 - clipped x0), here with a = sqrt(ab_t) at the first time.
  const Rddm process = process_of("ddim", 100, "noise");
  const at::Tensor y = at::zeros({1, 1, 1, 1}, at::kDouble);
  const FunctionDenoiser denoiser([](const at::Tensor& x, double, const Condition&) {
    return Estimates{x, at::full_like(x, -0.5)};
  });
  std::vector<double> first;
  double start = 0;
  for (const char* form : {"residual", "ddim"}) {
    RecordedNoise noise({at::full({1, 1, 1, 1}, 0.9F)});
    run_sampler(component("rddm_from_ddim", {{"form", form}, {"steps", "4"}}), y, process, denoiser, noise,
                [&](std::int64_t step, const at::Tensor& state) {
                  if (step == 0) first.push_back(state.item<double>());
                });
    start = 0.9F;
  }
  const Marginal m = process.at(0.76);  // index 75
  const double x0 = (start + 0.5 * m.c.scalar()) / m.a.scalar();
  ASSERT_GT(x0, 1.0);
  EXPECT_NEAR(first[0] - first[1], m.a.scalar() * (x0 - 1), 1e-6);
}

TEST(RddmFromDdim, RefusesOtherProcesses) {
  const auto refuse = [](const Process& process) {
    ZeroNoise noise;
    const FunctionDenoiser denoiser = consistent(process);
    return error_of([&] {
      run_sampler(component("rddm_from_ddim"), at::zeros({1, 1, 1, 1}), process, denoiser, noise);
    });
  };
  EXPECT_EQ(refuse(process_of("ramp")).first, Errc::kUsage);
  EXPECT_NE(refuse(process_of("ramp")).second.find("rddm_from_ddim needs a process with b = 1 - a"), std::string::npos);
  EXPECT_NE(refuse(process_of("ddim", 5)).second.find("at least sampler.steps = 10 steps"), std::string::npos);
}

}  // namespace
}  // namespace reseda::diffusion
