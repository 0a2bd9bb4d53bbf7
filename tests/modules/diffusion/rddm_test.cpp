#include "modules/diffusion/processes/rddm.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/diffusion/rddm_denoiser.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::diffusion {
namespace {

double value(const at::Tensor& values, std::int64_t index) { return values[index].item<double>(); }
double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }

RddmConfig configured(const std::string& schedule, std::int64_t steps = 1000) {
  RddmConfig config;
  config.coefficients.schedule = schedule;
  config.coefficients.steps = steps;
  return config;
}

TEST(RddmSchedule, AgreesWithTheTable) {
  const struct {
    int t;
    double ramp_a, ramp_b2, power_a, power_b2;
  } rows[] = {{0, 0.0019980020, 0.0000019980, 0.002, 0},
              {99, 0.1899100899, 0.0100899101, 0.1900900901, 0.0099099099},
              {199, 0.3598401598, 0.0401598402, 0.3601601602, 0.0398398398},
              {499, 0.7497502498, 0.2502497502, 0.7502502503, 0.2497497497},
              {799, 0.9598401598, 0.6401598402, 0.9601601602, 0.6398398398},
              {999, 1, 1, 1, 1}};
  const RddmSchedule ramp = rddm_schedule(configured("ramp").coefficients);
  const RddmSchedule power = rddm_schedule(configured("power").coefficients);
  for (const auto& row : rows) {
    EXPECT_NEAR(value(ramp.alphas_cumsum, row.t), row.ramp_a, 1e-7) << row.t;
    EXPECT_NEAR(value(ramp.betas2_cumsum, row.t), row.ramp_b2, 1e-7) << row.t;
    EXPECT_NEAR(value(power.alphas_cumsum, row.t), row.power_a, 2e-7) << row.t;
    EXPECT_NEAR(value(power.betas2_cumsum, row.t), row.power_b2, 2e-7) << row.t;
  }
  const RddmSchedule ddim = rddm_schedule(configured("ddim").coefficients);
  EXPECT_NEAR(value(ddim.alphas_cumsum, 0), 0.0000500083, 1e-9);
  EXPECT_NEAR(value(ddim.betas_cumsum, 0), 0.0100008296, 1e-8);
  EXPECT_NEAR(value(ddim.alphas_cumsum, 499), 0.7196658371, 1e-6);
  EXPECT_NEAR(value(ddim.betas_cumsum, 999), 0.9999798206, 1e-7);
}

TEST(RddmSchedule, HasTheOfficialEnds) {
  for (const char* family : {"ramp", "power", "ddim"}) {
    const RddmSchedule s = rddm_schedule(configured(family, 10).coefficients);
    EXPECT_EQ(value(s.posterior_mean_coef1, 0), 0) << family;
    EXPECT_EQ(value(s.posterior_mean_coef2, 0), 0) << family;
    EXPECT_EQ(value(s.posterior_mean_coef3, 0), 1) << family;
    EXPECT_EQ(value(s.posterior_variance, 0), 0) << family;
    EXPECT_NEAR(value(s.posterior_log_variance_clipped, 0), std::log(1e-20), 1e-5) << family;
    EXPECT_NEAR(value(s.one_minus_alphas_cumsum, 9), 1e-6, 1e-12) << family;
    EXPECT_EQ(s.steps(), 10);
    EXPECT_EQ(s.named().size(), 12U);
  }
  EXPECT_EQ(value(rddm_schedule(configured("power", 10).coefficients).betas_cumsum, 0), 0);
}

TEST(RddmSchedule, PosteriorKeepsTheMarginal) {
  // c1 + c3 = 1, c1 abar + c2 = abar', c1^2 bbar^2 + v = bbar'^2
  for (const char* family : {"ramp", "power", "ddim"}) {
    const RddmSchedule s = rddm_schedule(configured(family, 50).coefficients);
    for (int t = 2; t < 50; ++t) {
      const double c1 = value(s.posterior_mean_coef1, t), c2 = value(s.posterior_mean_coef2, t);
      EXPECT_NEAR(c1 + value(s.posterior_mean_coef3, t), 1, 1e-6) << family << t;
      EXPECT_NEAR(c1 * value(s.alphas_cumsum, t) + c2, value(s.alphas_cumsum, t - 1), 1e-6) << family << t;
      EXPECT_NEAR(c1 * c1 * value(s.betas2_cumsum, t) + value(s.posterior_variance, t), value(s.betas2_cumsum, t - 1),
                  1e-6)
          << family << t;
    }
  }
}

TEST(RddmSchedule, VarianceAboveOneSaturates) {
  RddmScheduleConfig config = configured("ramp", 10).coefficients;
  config.sum_scale = 2;
  const RddmSchedule s = rddm_schedule(config);
  EXPECT_EQ(value(s.betas2_cumsum, 9), 1);
  EXPECT_NEAR(value(s.betas2_cumsum, 0), 2.0 / 55, 1e-7);
}

TEST(RddmSchedule, TestOverrideChangesOnlyTheFirstDifferences) {
  const RddmScheduleConfig config = configured("ddim", 10).coefficients;
  const RddmSchedule built = rddm_schedule(config), test = rddm_schedule(config, RddmInit::kTest);
  EXPECT_EQ(value(built.alphas, 0), 0);
  EXPECT_EQ(value(test.alphas, 0), value(test.alphas, 1));
  EXPECT_TRUE(at::equal(built.alphas_cumsum, test.alphas_cumsum));
  EXPECT_TRUE(at::equal(built.betas_cumsum, test.betas_cumsum));
}

TEST(RddmSchedule, RefusesWhatItCannotBe) {
  const auto message = [](const std::vector<std::pair<std::string, std::string>>& keys) {
    const auto [code, text] = error_of([&] { make_process(component("rddm", keys)); });
    EXPECT_EQ(code, Errc::kUsage);
    return text;
  };
  EXPECT_EQ(message({{"schedule", "rampe"}}), "process.schedule must be one of ramp, power, ddim, got 'rampe'");
  EXPECT_EQ(message({{"steps", "1"}}), "process.steps must be in 2 to 100000, got 1");
  EXPECT_EQ(message({{"sum_scale", "0"}}), "process.sum_scale must be > 0, got 0");
  EXPECT_EQ(message({{"noise", "average"}}),
            "process.residual, noise and their powers belong to the schedule power, got 'ramp'");
  EXPECT_EQ(message({{"betas", "scaled_linear"}}), "process.betas belongs to the schedule ddim, got 'ramp'");
  EXPECT_EQ(message({{"first_index", "1000"}}), "process.first_index must be in -1 to steps - 1 = 999, got 1000");
  EXPECT_EQ(message({{"first_index", "5"}, {"last_index", "5"}}),
            "process.last_index must be in -1 to 4, below the first index, got 5");
}

TEST(Rddm, HasTheArraysAtTheOfficialTimesAndIsCleanBelow) {
  for (const char* family : {"ramp", "power", "ddim"}) {
    const Rddm process(configured(family));
    for (const int i : {0, 1, 7, 499, 998, 999}) {
      const Marginal m = process.at((i + 1) / 1000.0);
      EXPECT_EQ(m.b.scalar(), value(process.schedule().alphas_cumsum, i)) << family << i;
      EXPECT_NEAR(m.c.scalar(), value(process.schedule().betas_cumsum, i), 1e-16) << family << i;
      EXPECT_EQ(m.a.scalar(), 1 - m.b.scalar());
      EXPECT_EQ(process.network_time((i + 1) / 1000.0), i);
    }
    const Marginal clean = process.at(0);
    EXPECT_EQ(clean.a.scalar(), 1);
    EXPECT_EQ(clean.b.scalar(), 0);
    EXPECT_EQ(clean.c.scalar(), 0);
  }
}

TEST(Rddm, StartsFromTheMeasurementOrFromNoise) {
  const at::Tensor y = at::full({1, 1, 1, 2}, 3.0);
  RecordedNoise noise({at::full({1, 1, 1, 2}, 0.5F), at::full({1, 1, 1, 2}, 0.5F), at::full({1, 1, 1, 2}, 0.5F)});
  RddmConfig config = configured("ramp", 10);
  config.coefficients.sum_scale = 0.01;
  EXPECT_NEAR(Rddm(config).prior(y, noise, "").max().item<double>(), 3 + 0.1 * 0.5, 1e-6);
  config.start = "noise";
  EXPECT_NEAR(Rddm(config).prior(y, noise, "").max().item<double>(), 0.5, 1e-7);
  // An earlier start has that index's noise: bbar^2 = 0.01 (i + 1) (i + 2) / 110.
  config.start = "measurement";
  config.first_index = 4;
  EXPECT_NEAR(Rddm(config).prior(y, noise, "").max().item<double>(), 3 + 0.5 * std::sqrt(0.01 * 30 / 110), 1e-6);
  EXPECT_EQ(Rddm(config).t_start(), 0.5);
}

TEST(Rddm, TellsTheNetworkItsTime) {
  RddmConfig config = configured("ddim");
  config.time = "both";
  const Rddm process(config);
  const auto pair = process.network_times(1.0);
  ASSERT_EQ(pair.size(), 2U);
  EXPECT_NEAR(pair[0], 993.6471819, 1e-3);
  EXPECT_NEAR(pair[1], 999.9798206, 1e-3);
  const at::Tensor batch = network_input_times(process, at::tensor({1.0, 0.5}, at::kDouble));
  EXPECT_EQ(batch.sizes(), (std::vector<std::int64_t>{2, 2}));
  config.time = "noise";
  EXPECT_EQ(Rddm(config).network_times(1.0), std::vector<double>{pair[1]});
  config.time = "residual";
  EXPECT_EQ(Rddm(config).network_times(1.0), std::vector<double>{pair[0]});
}

TEST(Rddm, MovesTimesToItsTable) {
  RddmConfig config = configured("ramp", 10);
  EXPECT_NEAR(Rddm(config).nearest_time(0.33), 0.3, 1e-15);
  EXPECT_NEAR(Rddm(config).nearest_time(0.01), 0.1, 1e-15);
  config.times = "any";
  EXPECT_EQ(Rddm(config).nearest_time(0.33), 0.33);
}

TEST(Rddm, TakesTheArraysOfACheckpoint) {
  RddmSchedule other = rddm_schedule(configured("ddim", 10).coefficients);
  const Rddm process(configured("ramp", 10), other);
  EXPECT_EQ(process.at(0.5).b.scalar(), value(other.alphas_cumsum, 4));
  const auto [code, message] = error_of([&] { Rddm(configured("ramp", 11), other); });
  EXPECT_EQ(code, Errc::kCheckpoint);
  EXPECT_EQ(message, "alphas_cumsum must hold process.steps = 11 values, got shape [10]");
  other.betas_cumsum = other.betas_cumsum.flip(0);
  EXPECT_EQ(error_of([&] { Rddm(configured("ramp", 10), other); }).second,
            "betas_cumsum must not fall and stay within 0 and 1");
}

/// A batch with known parts, in float64.
struct Known {
  at::Tensor x0 = draw("x0") * 0.3, y = draw("y") * 0.3, eps = draw("eps");
  at::Tensor residual() const { return y - x0; }
  static at::Tensor draw(const char* stream) {
    CounterNoise noise(3);
    return draw_like(noise, {"x", stream, 0}, at::empty({2, 3, 4, 5}, at::kDouble)).clamp(-1, 1);
  }
};

TEST(RddmObjective, FindsThePartsOfEveryObjective) {
  const Known known;
  const at::Tensor R = known.residual();
  const struct {
    const char *name, *use;
    at::Tensor first, second;
  } rows[] = {{"pred_res_noise", "both", R, known.eps},
              {"pred_res_noise", "first", R, {}},
              {"pred_res_noise", "second", {}, known.eps},
              {"pred_res_add_noise", "both", R, R + known.eps},
              {"pred_x0_noise", "both", known.x0, known.eps},
              {"pred_x0_noise", "first", known.x0, {}},
              {"pred_x0_noise", "second", {}, known.eps},
              {"pred_x0_add_noise", "both", known.x0, known.x0 + known.eps},
              {"pred_noise", "both", known.eps, {}},
              {"pred_res", "both", R, {}},
              {"pred_x0", "both", known.x0, {}}};
  const Rddm process(configured("ramp", 100));
  for (const auto& row : rows)
    for (const double t : {0.2, 0.5, 0.905}) {
      const at::Tensor x = process.at(t).sample(known.x0, known.y, known.eps);
      const bool pair = row.first.defined() && row.second.defined();
      const RddmDenoiser denoiser(
          [&](const at::Tensor&, const Condition&, const at::Tensor&) {
            return pair ? at::cat({row.first, row.second}, 1) : row.first.defined() ? row.first : row.second;
          },
          {.objective = row.name, .use = row.use}, process);
      const Estimates found = denoiser(x, t, Condition{known.y});
      EXPECT_LT(largest(found.x0 - known.x0), 1e-6) << row.name << row.use << t;
      EXPECT_LT(largest(found.eps - known.eps), 2e-6) << row.name << row.use << t;
      EXPECT_LT(largest(found.residual - R), 1e-6) << row.name << row.use << t;
    }
}

TEST(RddmObjective, DecidesTheAutomaticOneByItsScalar) {
  const Known known;
  const Rddm process(configured("ramp", 100));
  const at::Tensor x = process.at(0.5).sample(known.x0, known.y, known.eps);
  const auto estimates = [&](double share, const at::Tensor& output) {
    return RddmDenoiser([&](const at::Tensor&, const Condition&, const at::Tensor&) { return output; },
                        {.objective = "auto_res_noise", .share_of_residual = share},
                        process)(x, 0.5, Condition{known.y});
  };
  EXPECT_LT(largest(estimates(0.51, known.residual()).x0 - known.x0), 1e-6);
  EXPECT_LT(largest(estimates(0.5, known.eps).x0 - known.x0), 1e-6);
}

TEST(RddmObjective, ClipsTheResidualBeforeTheImageIsMadeOfIt) {
  // One pixel: x0 = -0.9, y = 0.9, so the residual 1.8 is clipped to 1 and x0 = x - abar - bbar eps is off by 0.8 abar.
  const Rddm process(configured("ramp", 100));
  const at::Tensor x0 = at::full({1, 1, 1, 1}, -0.9, at::kDouble), y = -x0, eps = at::full_like(x0, 0.2);
  const auto call = [&](const at::Tensor&, const Condition&, const at::Tensor&) { return at::cat({y - x0, eps}, 1); };
  const double t = 0.5, abar = process.at(t).b.scalar();
  const at::Tensor x = process.at(t).sample(x0, y, eps);
  const Estimates official = RddmDenoiser(call, {}, process)(x, t, Condition{y});
  EXPECT_NEAR(official.residual.item<double>(), 1, 1e-15);
  EXPECT_NEAR(official.x0.item<double>(), -0.9 + 0.8 * abar, 1e-12);
  const Estimates wide = RddmDenoiser(call, {.clip_residual = 2}, process)(x, t, Condition{y});
  EXPECT_NEAR(wide.x0.item<double>(), -0.9, 1e-12);
  const Estimates derived = RddmDenoiser(call, {.noise_after_clip = "derived"}, process)(x, t, Condition{y});
  const Marginal m = process.at(t);
  EXPECT_NEAR((m.a * derived.x0 + m.b * y + m.c * derived.eps - x).item<double>(), 0, 1e-12);
}

TEST(RddmObjective, GuardsTheLastStepOfNoisePrediction) {
  // At the last index the weight of x0 is 0; the official code divides by 1e-6.
  const Rddm process(configured("ramp", 10));
  const at::Tensor y = at::zeros({1, 1, 1, 1}), x = at::full_like(y, 0.5), eps = at::full_like(y, 0.5 - 3e-7);
  const auto call = [&](const at::Tensor&, const Condition&, const at::Tensor&) { return eps; };
  RddmDenoiserConfig config{.objective = "pred_noise", .clip = 0, .clip_residual = 0};
  EXPECT_NEAR(RddmDenoiser(call, config, process)(x, 1.0, Condition{y}).x0.item<double>(), 0.3, 0.02);
  config.guard = false;
  EXPECT_TRUE(std::isinf(RddmDenoiser(call, config, process)(x, 1.0, Condition{y}).x0.item<double>()));
}

TEST(RddmObjective, RefusesWhatDoesNotFit) {
  const Rddm process(configured("ramp", 10));
  const at::Tensor y = at::zeros({1, 3, 2, 2});
  const auto denoise = [&](RddmDenoiserConfig config, std::int64_t channels) {
    return error_of([&] {
      RddmDenoiser(
          [&](const at::Tensor&, const Condition&, const at::Tensor&) {
            return at::zeros({1, channels, 2, 2});
          },
          config, process)(y, 1.0, Condition{y});
    });
  };
  EXPECT_EQ(denoise({}, 3).first, Errc::kInternal);
  EXPECT_EQ(denoise({}, 6).second, "");
  EXPECT_EQ(denoise({.use = "second"}, 3).second, "");
  EXPECT_EQ(denoise({.objective = "pred_res", .use = "first"}, 3).second,
            "objective.use must be both for pred_res, got 'first'");
  EXPECT_EQ(denoise({.objective = "pred_rest"}, 3).second,
            "unknown objective 'pred_rest'; did you mean 'pred_res'? (known: pred_res_noise, pred_res_add_noise, "
            "pred_x0_noise, pred_x0_add_noise, pred_noise, pred_res, pred_x0, auto_res_noise)");
}

}  // namespace
}  // namespace reseda::diffusion
