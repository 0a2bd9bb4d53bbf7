#include "modules/diffusion/processes/resshift.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/diffusion/processes/upsr.hpp"
#include "modules/diffusion/samplers/bridge_inversion.hpp"
#include "modules/diffusion/samplers/ddim_step.hpp"
#include "modules/diffusion/samplers/rddm_step.hpp"
#include "modules/diffusion/uncertainty_weight.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::diffusion {
namespace {

double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }

ResshiftConfig difiisr() { return {.coefficients = {.cap_start = true}}; }
ResshiftConfig resshift_v3() { return {.coefficients = {.steps = 4, .min_noise_level = 0.2}}; }

at::Tensor draw(const char* stream, at::IntArrayRef shape = {2, 3, 4, 5}) {
  CounterNoise noise(11);
  return draw_like(noise, {"x", stream, 0}, at::empty(shape, at::kDouble));
}

/// Marginal of index i, and of the one before (the clean end below 0).
struct Neighbours {
  Marginal from, to;
};
Neighbours neighbours(const Process& process, std::int64_t i) {
  const auto count = static_cast<double>(process.steps());
  return {process.at(static_cast<double>(i + 1) / count), process.at(static_cast<double>(i) / count)};
}

/// k, m, j of x' = k x0 + m x + j y.
std::array<double, 3> ddim_weights(const Process& process, std::int64_t i) {
  const auto [from, to] = neighbours(process, i);
  const DdimStep step = ddim_step(from, to, 0.0);
  const double m = step.eps.scalar() / from.c.scalar();
  return {step.x0.scalar() - m * from.a.scalar(), m, step.y.scalar() - m * from.b.scalar()};
}

TEST(ResshiftSchedule, HasTheOfficialRoots) {
  const double wanted[] = {0.02,         0.1171650823, 0.1763045553, 0.2336289165, 0.2915741278,
                           0.3510092843, 0.4123561443, 0.4758577309, 0.5416716776, 0.6099099334,
                           0.6806580171, 0.7539852625, 0.8299506624, 0.9086063878, 0.99};
  const auto roots = resshift_schedule(difiisr().coefficients).roots;
  ASSERT_EQ(roots.size(), 15U);
  for (std::size_t i = 0; i < 15; ++i) EXPECT_NEAR(roots[i], wanted[i], 1e-9) << i;
}

TEST(ResshiftSchedule, IsCappedByDifiisrAndUpsrAlone) {
  const double wanted[] = {0.1, 0.5200963722, 0.7613819906, 0.99};
  ResshiftScheduleConfig config = resshift_v3().coefficients;
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(resshift_schedule(config).roots[i], wanted[i], 1e-9) << i;
  config.cap_start = true;
  EXPECT_NEAR(resshift_schedule(config).roots[0], 0.0316227766, 1e-10);
  EXPECT_NEAR(resshift_schedule(config).roots[3], 0.99, 1e-12);
}

TEST(ResshiftSchedule, KeepsTheOfficialSteps) {
  ResshiftConfig config = difiisr();
  config.coefficients.respacing = 4;
  const Resshift process(config), all(difiisr());
  EXPECT_EQ(process.schedule().indices, (std::vector<std::int64_t>{0, 3, 7, 11}));
  for (std::int64_t i = 0; i < 4; ++i) {
    const std::int64_t original = process.schedule().indices[static_cast<std::size_t>(i)];
    EXPECT_EQ(process.network_time(static_cast<double>(i + 1) / 4), static_cast<double>(original));
    EXPECT_EQ(process.at(static_cast<double>(i + 1) / 4).c.scalar(),
              all.at(static_cast<double>(original + 1) / 15).c.scalar());
  }
  EXPECT_NEAR(process.network_time(0.625), 5, 1e-12);  // between 3 and 7
  EXPECT_NEAR(process.network_time(0.125), -1.5, 1e-12);
}

TEST(ResshiftSchedule, RefusesWhatItCannotBe) {
  const auto message = [](const std::vector<std::pair<std::string, std::string>>& keys) {
    const auto [code, text] = error_of([&] { make_process(component("resshift", keys)); });
    EXPECT_EQ(code, Errc::kUsage);
    return text;
  };
  EXPECT_EQ(message({{"schedule", "linear"}}), "process.schedule must be one of exponential, got 'linear'");
  EXPECT_EQ(message({{"steps", "1"}}), "process.steps must be in 2 to 100000, got 1");
  EXPECT_EQ(message({{"etas_end", "0.02"}}),
            "process.etas_end must be above sqrt(eta) of the first step (0.02) and at most 1, got 0.02");
  EXPECT_EQ(message({{"respacing", "16"}}), "process.respacing must be 0 or in 2 to process.steps (15), got 16");
  EXPECT_EQ(error_of([] {
              make_process(component("upsr", {{"min_noise", "0"}}));
            }).second,
            "process.min_noise must be in (0, 1], got 0");
}

TEST(Resshift, ShiftsTheResidualAndAddsNoise) {
  const Resshift process(difiisr());
  const Marginal m = process.at(1.0);
  EXPECT_NEAR(m.a.scalar(), 0.0199, 1e-12);
  EXPECT_NEAR(m.b.scalar(), 0.9801, 1e-12);
  EXPECT_NEAR(m.c.scalar(), 1.98, 1e-12);
  EXPECT_EQ(process.at(0).a.scalar(), 1);
  EXPECT_EQ(process.at(0).c.scalar(), 0);
  EXPECT_EQ(process.network_time(1.0), 14);
  // The start is y + 1.98 z: nothing of x0, and all of y.
  RecordedNoise noise({at::full({1, 1, 1, 1}, 0.5F)});
  const at::Tensor y = at::full({1, 1, 1, 1}, 0.25, at::kDouble);
  EXPECT_NEAR(process.prior(y, noise, "").item<double>(), 0.25 + 0.99, 1e-9);
}

TEST(Resshift, ScalesWhatTheNetworkIsShown) {
  ResshiftConfig config = difiisr();
  EXPECT_NEAR(Resshift(config).network_scale(1.0), 1 / 2.2181974664, 1e-10);
  config.latent_flag = false;
  EXPECT_NEAR(Resshift(config).network_scale(1.0), 1 / 6.94, 1e-12);
  config.normalize_input = false;
  EXPECT_EQ(Resshift(config).network_scale(1.0), 1.0);
  const at::Tensor x = at::ones({2, 1, 1, 1}, at::kDouble), times = at::tensor({1.0, 1.0 / 15}, at::kDouble);
  EXPECT_TRUE(at::equal(network_input_state(Resshift(config), x, times), x));
  const at::Tensor shown = network_input_state(Resshift(difiisr()), x, times);
  EXPECT_NEAR(shown[0].item<double>(), 1 / 2.2181974664, 1e-10);
  EXPECT_NEAR(shown[1].item<double>(), 1 / std::sqrt(1 + 0.04 * 0.04), 1e-12);
}

TEST(Resshift, ShowsTheNetworkTheScaledState) {
  const Resshift process(difiisr());
  at::Tensor shown;
  const NetworkDenoiser denoiser(
      [&](const at::Tensor& x, const at::Tensor&, const at::Tensor& t) {
        shown = x;
        EXPECT_EQ(t.item<float>(), 14);
        return at::zeros_like(x);
      },
      Target::kX0, process);
  const at::Tensor y = at::full({1, 1, 1, 1}, 0.3, at::kDouble), x = at::full_like(y, 2);
  const Estimates found = denoiser(x, 1.0, {y});
  EXPECT_NEAR(shown.item<double>(), 2 / 2.2181974664, 1e-9);
  EXPECT_NEAR(found.eps.item<double>(), (2 - 0.9801 * 0.3) / 1.98, 1e-12);
}

TEST(Resshift, HasTheOfficialWeightsOfDdim) {
  const Resshift process(difiisr());
  const struct {
    std::int64_t index;
    double k, m, j;
  } rows[] = {{1, .83124398, .17069932, -.00194330},
              {7, .15963185, .86655342, -.02618527},
              {14, .15617053, .91778423, -.07395476}};
  for (const auto& row : rows) {
    const auto [k, m, j] = ddim_weights(process, row.index);
    EXPECT_NEAR(k, row.k, 1e-8) << row.index;
    EXPECT_NEAR(m, row.m, 1e-8) << row.index;
    EXPECT_NEAR(j, row.j, 1e-8) << row.index;
  }
  for (std::int64_t i = 0; i < 15; ++i) {
    const auto [from, to] = neighbours(process, i);
    const auto [k, m, j] = ddim_weights(process, i);
    EXPECT_NEAR(k + m * from.a.scalar(), to.a.scalar(), 1e-12) << i;
    EXPECT_NEAR(j + m * from.b.scalar(), to.b.scalar(), 1e-12) << i;
  }
}

TEST(Resshift, PosteriorIsRddmsMixedStep) {
  const Resshift process(difiisr());
  for (std::int64_t i = 1; i < 15; ++i) {
    const auto [from, to] = neighbours(process, i);
    const double eta = from.b.scalar(), before = to.b.scalar();
    const RddmStep step = rddm_step(RddmUpdate::kMixed, from, to, 1.0);
    EXPECT_NEAR(step.state.scalar(), before / eta, 1e-12) << i;
    EXPECT_NEAR(step.x0.scalar(), (eta - before) / eta, 1e-12) << i;
    EXPECT_NEAR(step.residual.scalar(), 0, 1e-12) << i;
    EXPECT_NEAR(std::pow(step.noise.scalar(), 2), 4 * before / eta * (eta - before), 1e-12) << i;
  }
  const auto [from, to] = neighbours(process, 0);
  EXPECT_EQ(rddm_step(RddmUpdate::kMixed, from, to, 1.0).state.scalar(), 0);
  EXPECT_EQ(rddm_step(RddmUpdate::kMixed, from, to, 1.0).x0.scalar(), 1);
}

/// A denoiser that knows x0.
FunctionDenoiser knowing(const at::Tensor& x0, const Process& process) {
  return FunctionDenoiser([&x0, &process](const at::Tensor& x, double t, const Condition& condition) {
    return estimates_from(Target::kX0, x0, x, condition.y, process.at(t), {});
  });
}

TEST(Resshift, DdimWithTheTruthStaysOnTheMean) {
  const Resshift process(difiisr());
  const at::Tensor x0 = draw("x0"), y = draw("y");
  // From the forward mean, which the prior y misses by (1 - eta)(y - x0).
  at::Tensor x = process.at(1.0).mean(x0, y);
  for (std::int64_t i = 14; i >= 0; --i) {
    const auto [k, m, j] = ddim_weights(process, i);
    x = k * x0 + m * x + j * y;
    EXPECT_LT(largest(x - process.at(static_cast<double>(i) / 15).mean(x0, y)), 1e-12) << i;
  }
}

TEST(Resshift, OneStepIsTheFirstEstimateOfDdim) {
  const Resshift process(difiisr());
  const at::Tensor y = draw("y");
  const FunctionDenoiser denoiser([&](const at::Tensor& x, double t, const Condition& condition) {
    return estimates_from(Target::kX0, 0.3 * x + 0.1 * t, x, condition.y, process.at(t), {});
  });
  CounterNoise noise(3);
  const at::Tensor one = run_sampler(component("bridge_ddim", {{"steps", "1"}}), y, process, denoiser, noise);
  EXPECT_LT(largest(one - (0.3 * process.prior(y, noise, "item") + 0.1)), 1e-12);
}

TEST(Resshift, AncestralSamplingFollowsThePosterior) {
  const Resshift process(resshift_v3());
  const at::Tensor x0 = draw("x0"), y = draw("y");
  CounterNoise noise(4);
  std::vector<at::Tensor> states;
  const at::Tensor found = run_sampler(component("rddm_ancestral"), y, process, knowing(x0, process), noise,
                                       [&](std::int64_t, const at::Tensor& state) { states.push_back(state); });
  EXPECT_LT(largest(found - x0), 1e-12);
  ASSERT_EQ(states.size(), 4U);
  at::Tensor x = process.prior(y, noise, "item");
  for (std::int64_t i = 3; i > 0; --i) {
    const double eta = std::pow(process.schedule().roots[i], 2), before = std::pow(process.schedule().roots[i - 1], 2);
    const at::Tensor z = draw_like(noise, {"item", "predictor", static_cast<std::uint32_t>(3 - i)}, x);
    x = before / eta * x + (eta - before) / eta * x0 + 2 * std::sqrt(before / eta * (eta - before)) * z;
    EXPECT_LT(largest(states[static_cast<std::size_t>(3 - i)] - x), 1e-12) << i;
  }
}

TEST(BridgeInversion, TakesBackAStepOfDdim) {
  const Resshift process(difiisr());
  const at::Tensor x = draw("x"), x0 = draw("x0"), y = draw("y");
  for (std::int64_t i = 1; i < 15; ++i) {
    const auto [noisier, cleaner] = neighbours(process, i);
    const auto [k, m, j] = ddim_weights(process, i);
    const at::Tensor up = inverse_bridge_step(noisier, cleaner, x, x0, y);
    EXPECT_LT(largest(k * x0 + m * up + j * y - x), 1e-12) << i;
  }
  const auto [from, clean] = neighbours(process, 0);
  EXPECT_EQ(error_of([&, noisier = from, cleaner = clean] { inverse_bridge_step(noisier, cleaner, x, x0, y); }).first,
            Errc::kUsage);
}

TEST(BridgeInversion, LeadsToTheStartOfDdim) {
  const Resshift process(difiisr());
  const at::Tensor x0 = draw("x0"), y = draw("y"), image = draw("image");
  const FunctionDenoiser denoiser = knowing(x0, process);
  ZeroNoise noise;
  std::int64_t calls = 0;
  SampleContext context{
      .noise = noise, .item = "item", .on_step = {}, .trace = [&](std::int64_t, const at::Tensor&) { ++calls; }};
  at::Tensor x = invert_bridge(image, y, process, denoiser, context);
  EXPECT_EQ(calls, 14);
  for (std::int64_t i = 14; i > 0; --i) {
    const auto [k, m, j] = ddim_weights(process, i);
    x = k * x0 + m * x + j * y;
  }
  EXPECT_LT(largest(x - image), 1e-9);
}

TEST(UncertaintyWeight, GrowsWithTheDifference) {
  const at::Tensor d = at::tensor({0.0, 0.05, -0.05, 0.1, -3.0}, at::kDouble);
  EXPECT_LT(largest(uncertainty_weight(d, {}) - at::tensor({0.4, 0.7, 0.7, 1.0, 1.0}, at::kDouble)), 1e-12);
  for (const double un : {0.0, -1.0}) EXPECT_EQ(largest(uncertainty_weight(d, {.un = un}) - 1), 0);
}

TEST(Upsr, HasTheOfficialNumbers) {
  const Upsr process{UpsrConfig{}};
  const double roots[] = {0.0316227766, 0.4300109561, 0.6339077497, 0.8166021305, 0.99};
  const double divisors[] = {0.50187150, 0.77246694, 1.00172261, 1.22487681, 1.44488321};
  const double weights[5][3] = {{1, 0, 0},
                                {.93905867, .07353947, -.01259814},
                                {.40932843, .67834942, -.08767786},
                                {.33953647, .77627492, -.11581138},
                                {.31674643, .82485064, -.14159707}};
  for (std::int64_t i = 0; i < 5; ++i) {
    const double t = static_cast<double>(i + 1) / 5;
    EXPECT_NEAR(process.at(t).c.scalar(), 2.5 * roots[i], 1e-8) << i;
    EXPECT_NEAR(process.network_scale(t), 1 / divisors[i], 1e-8) << i;
    const auto found = ddim_weights(process, i);
    for (std::size_t w = 0; w < 3; ++w) EXPECT_NEAR(found[w], weights[i][w], 1e-8) << i << " " << w;
  }
}

TEST(Upsr, WeighsTheNoiseOfEachPixel) {
  const Upsr plain{UpsrConfig{}};
  const at::Tensor weight = at::tensor({0.4, 0.6, 0.8, 1.0}, at::kDouble).reshape({1, 1, 2, 2});
  const Upsr process = plain.with_weight(weight);
  const at::Tensor y = draw("y", {1, 3, 2, 2});
  CounterNoise noise(2);
  EXPECT_LT(largest(process.at(0.6).c.value - weight * plain.at(0.6).c.scalar()), 1e-12);
  EXPECT_LT(largest(process.rate(0.6).c.value - weight * plain.rate(0.6).c.scalar()), 1e-12);
  EXPECT_EQ(process.network_scale(0.6), plain.network_scale(0.6));
  EXPECT_LT(largest(process.prior(y, noise, "i") - y - weight * (plain.prior(y, noise, "i") - y)), 1e-12);
  // The posterior's mean has no weight, its variance the weight's square.
  const auto [from, to] = neighbours(process, 3);
  const auto [plain_from, plain_to] = neighbours(plain, 3);
  const RddmStep step = rddm_step(RddmUpdate::kMixed, from, to, 1.0),
                 other = rddm_step(RddmUpdate::kMixed, plain_from, plain_to, 1.0);
  EXPECT_LT(largest(step.state.value - other.state.scalar()), 1e-12);
  EXPECT_LT(largest(step.x0.value - other.x0.scalar()), 1e-12);
  EXPECT_LT(largest(step.noise.value - weight * other.noise.scalar()), 1e-12);
}

TEST(Upsr, SamplersFindTheTruthAndKeepTheForwardPath) {
  const at::Tensor weight = at::tensor({0.4, 0.6, 0.8, 1.0}, at::kDouble).reshape({1, 1, 2, 2});
  const Upsr process = Upsr{UpsrConfig{}}.with_weight(weight);
  const at::Tensor x0 = draw("x0", {1, 3, 2, 2}), y = draw("y", {1, 3, 2, 2}), eps = draw("eps", {1, 3, 2, 2});
  const FunctionDenoiser denoiser = knowing(x0, process);
  at::Tensor x = process.at(1.0).sample(x0, y, eps);
  for (std::int64_t i = 4; i > 0; --i) {
    const auto [from, to] = neighbours(process, i);
    const Estimates found = denoiser(x, static_cast<double>(i + 1) / 5, {y});
    x = to.a * found.x0 + to.b * y + to.c * found.eps;
    EXPECT_LT(largest(x - to.sample(x0, y, eps)), 1e-12) << i;
  }
  CounterNoise noise(5);
  const std::vector<std::pair<std::string, std::string>> trailing = {{"steps", "5"}, {"grid", "trailing"}};
  EXPECT_LT(largest(run_sampler(component("bridge_ddim", trailing), y, process, denoiser, noise) - x0), 1e-12);
  EXPECT_LT(largest(run_sampler(component("rddm_ancestral"), y, process, denoiser, noise) - x0), 1e-12);
  EXPECT_LT(largest(run_sampler(component("unipc", trailing), y, process, denoiser, noise) - x0), 1e-12);
}

TEST(Upsr, WithoutWeightIsResshift) {
  const Upsr plain{UpsrConfig{}};
  const Resshift base({.coefficients = UpsrConfig{}.coefficients});
  const at::Tensor y = draw("y");
  const auto sample = [&](const Process& process) {
    const FunctionDenoiser denoiser([&](const at::Tensor& x, double t, const Condition& condition) {
      return estimates_from(Target::kX0, 0.3 * x + 0.1 * t, x, condition.y, process.at(t), {});
    });
    CounterNoise noise(6);
    return run_sampler(component("bridge_ddim", {{"steps", "5"}, {"grid", "trailing"}}), y, process, denoiser, noise);
  };
  EXPECT_TRUE(at::equal(sample(plain), sample(base)));
  EXPECT_LT(largest(sample(plain.with_weight(at::ones({1, 1, 4, 5}))) - sample(base)), 1e-12);
}

}  // namespace
}  // namespace reseda::diffusion
