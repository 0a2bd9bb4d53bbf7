#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/diffusion/batch_noise.hpp"
#include "modules/diffusion/oracles/gaussian.hpp"
#include "modules/diffusion/samplers/reverse_step.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::diffusion {
namespace {

constexpr double kSigmaOne = 0.388982658, kSigmaEnd = 0.018830100;

class PcTest : public testing::Test {
 protected:
  std::unique_ptr<Process> process_ = make_process(component("ou_ve"));
  at::Tensor y_ = at::full({1, 1, 1, 1}, 3.0, at::kDouble);
  at::Tensor x0_ = at::full({1, 1, 1, 1}, 1.0, at::kDouble);
  GaussianOracle known_{x0_, 0.0, *process_};
  GaussianOracle at_y_{y_, 0.0, *process_};

  at::Tensor run(const std::vector<std::pair<std::string, std::string>>& keys, const Denoiser& denoiser,
                 NoiseSource& noise, std::function<void(std::int64_t, const at::Tensor&)> trace = {}) {
    return run_sampler(component("pc", keys), y_, *process_, denoiser, noise, std::move(trace));
  }
};

TEST_F(PcTest, DrawsByNameInOrder) {
  ListedNoise noise;
  run({{"steps", "2"}, {"corrector_steps", "2"}}, known_, noise);
  EXPECT_EQ(noise.draws, (std::vector<std::string>{"prior 0", "corrector 0", "corrector 1", "predictor 0",
                                                   "corrector 2", "corrector 3", "predictor 1"}));
  ListedNoise plain;
  run({{"steps", "2"}, {"corrector", "none"}}, known_, plain);
  EXPECT_EQ(plain.draws, (std::vector<std::string>{"prior 0", "predictor 0", "predictor 1"}));
}

TEST_F(PcTest, AnnealedLangevinKeepsTheKnownShareOfTheVariance) {
  // With x0 = y the mean is y, and x - y = sigma z0 goes to sigma ((1 - 2 snr^2) z0 + 2 snr z1).
  const at::Tensor z0 = at::full({1, 1, 1, 1}, 0.7F), z1 = at::full({1, 1, 1, 1}, -1.2F);
  for (const double snr : {0.5, 0.33}) {
    RecordedNoise noise({z0, z1});
    const at::Tensor x = run({{"steps", "1"}, {"predictor", "none"}, {"snr", number_text(snr)}}, at_y_, noise);
    const double keep = 1 - 2 * snr * snr, add = 2 * snr;
    EXPECT_NEAR(x.item<double>() - 3.0, kSigmaOne * (keep * 0.7 - add * 1.2), 1e-7);
  }
  EXPECT_NEAR(std::pow(1 - 2 * 0.25, 2.0) + 4 * 0.25, 1.25, 1e-15);
}

TEST_F(PcTest, WithoutPredictorTheNoisyStateIsReturned) {
  const at::Tensor z = at::ones({1, 1, 1, 1});
  for (const char* denoise : {"true", "false"}) {
    RecordedNoise noise({z, z});
    EXPECT_NEAR(run({{"steps", "1"}, {"predictor", "none"}, {"denoise", denoise}}, at_y_, noise).item<double>(),
                3.0 + kSigmaOne * 1.5, 1e-7);
  }
}

TEST_F(PcTest, CorrectionsOfSizeZeroAreNone) {
  CounterNoise noise(5);
  for (const char* corrector : {"ald", "langevin"})
    EXPECT_TRUE(at::equal(run({{"steps", "5"}, {"corrector", corrector}, {"snr", "0"}}, known_, noise),
                          run({{"steps", "5"}, {"corrector", "none"}}, known_, noise)));
}

TEST_F(PcTest, LastStepGoesFromTEpsToZero) {
  // One step of length t_eps from a state at t_eps: e = x - mu_t shrinks to (1 - 1.1184) e, beside the drift.
  ZeroNoise noise;
  std::vector<double> states;
  const at::Tensor result = run({{"steps", "20"}, {"corrector", "none"}}, known_, noise,
                                [&](std::int64_t, const at::Tensor& x) { states.push_back(x.item<double>()); });
  ASSERT_EQ(states.size(), 20U);
  EXPECT_EQ(states.back(), result.item<double>());
  const double x = states[18], mu = process_->at(0.03).mean(x0_, y_).item<double>(), gain = 1.118405;
  EXPECT_NEAR(result.item<double>(), x - 1.5 * (3.0 - x) * 0.03 - gain * (x - mu), 1e-6);
}

TEST_F(PcTest, DenoiseLeavesOutTheLastNoiseOnly) {
  CounterNoise noise(9);
  const double mean = run({{"steps", "4"}}, known_, noise).item<double>();
  const double noisy = run({{"steps", "4"}, {"denoise", "false"}}, known_, noise).item<double>();
  const double z = noise.normal({"item", "predictor", 3}, {1, 1, 1, 1}).item<double>();
  EXPECT_NEAR(noisy - mean, 0.114972201 * std::sqrt(0.03) * z, 1e-9);
}

TEST_F(PcTest, LegacyStepsAreAllEqual) {
  // One step at t = 1 of length 1 either way; two steps: 1/2 and 1/2 instead of 0.97 and 0.03.
  ZeroNoise noise;
  std::vector<double> states;
  const auto keep = [&](std::int64_t, const at::Tensor& x) { states.push_back(x.item<double>()); };
  run({{"steps", "2"}, {"corrector", "none"}, {"legacy_steps", "true"}}, known_, noise, keep);
  const ReverseStep half = reverse_step(*process_, 1.0, 0.5);
  EXPECT_NEAR(states[0], half.mean(y_, y_, known_(y_, 1.0, {y_})).item<double>(), 1e-12);
  run({{"steps", "2"}, {"corrector", "none"}}, known_, noise, keep);
  const ReverseStep most = reverse_step(*process_, 1.0, 0.97);
  EXPECT_NEAR(states[2], most.mean(y_, y_, known_(y_, 1.0, {y_})).item<double>(), 1e-7);
}

TEST_F(PcTest, EulerMaruyamaIsTheSameFormula) {
  CounterNoise noise(2);
  EXPECT_TRUE(at::equal(run({{"steps", "3"}, {"predictor", "euler_maruyama"}}, known_, noise),
                        run({{"steps", "3"}}, known_, noise)));
}

TEST_F(PcTest, MeanConvergesToFirstOrder) {
  // Without noise the state is the mean of the reverse SDE: e(t_eps) = e(1) sigma^2(t_eps) / sigma^2(1)
  // e^{-theta(1-t)}.
  const auto error = [&](const char* steps) {
    ZeroNoise noise;
    const std::int64_t before_last = std::stol(steps) - 2;
    double state = 0;
    run({{"steps", steps}, {"corrector", "none"}}, known_, noise, [&](std::int64_t step, const at::Tensor& x) {
      if (step == before_last) state = x.item<double>();
    });
    const double start = 3.0 - process_->at(1.0).mean(x0_, y_).item<double>();
    const double exact = process_->at(0.03).mean(x0_, y_).item<double>() +
                         start * std::pow(kSigmaEnd / kSigmaOne, 2.0) * std::exp(-1.5 * 0.97);
    return state - exact;
  };
  const double coarse = error("400"), fine = error("800");
  EXPECT_LT(std::abs(fine), 2e-4);
  EXPECT_NEAR(coarse / fine, 2.0, 0.1);
}

TEST_F(PcTest, StatesHaveTheMarginalOfTheProcess) {
  // x0 ~ N(1, 0.2^2): at t_eps the samples follow N(mu, a^2 0.04 + sigma^2).
  const at::Tensor y = at::full({1, 1, 200, 200}, 3.0, at::kDouble);
  const GaussianOracle oracle(at::full({1, 1, 1, 1}, 1.0, at::kDouble), 0.2, *process_);
  CounterNoise noise(11);
  at::Tensor state;
  run_sampler(component("pc", {{"steps", "201"}, {"corrector", "none"}}), y, *process_, oracle, noise,
              [&](std::int64_t step, const at::Tensor& x) {
                if (step == 199) state = x;
              });
  const Marginal end = process_->at(0.03);
  const double a = end.a.scalar(), c = end.c.scalar();
  EXPECT_NEAR(state.std().item<double>(), std::sqrt(a * a * 0.04 + c * c), 0.01);
  // The prior's mean is y and not the bridge's: what is left of that mismatch shrinks with the data's spread.
  const double start = 3.0 - process_->at(1.0).mean(x0_, y_).item<double>();
  const double a1 = process_->at(1.0).a.scalar();
  const double left =
      start * a / a1 * (a * a * 0.04 + c * c) / (a1 * a1 * 0.04 + kSigmaOne * kSigmaOne) * std::exp(-2 * 1.5 * 0.97);
  EXPECT_NEAR(state.mean().item<double>() - end.mean(x0_, y_).item<double>(), left, 0.01);
}

TEST_F(PcTest, LangevinTakesTheNormsOfEachItem) {
  const at::Tensor y = at::zeros({2, 1, 1, 2}, at::kDouble);
  // Scores (3, 4) and (0, 1) at sigma: e = 2 (snr |z| / |s|)^2 with |z| = (sqrt 2, 2).
  const at::Tensor score = at::tensor({3.0, 4.0, 0.0, 1.0}).reshape({2, 1, 1, 2});
  const FunctionDenoiser denoiser([&](const at::Tensor& x, double t, const Condition&) {
    return Estimates{at::zeros_like(x), -(process_->at(t).c * score)};
  });
  const at::Tensor z = at::tensor({1.0F, 1.0F, 2.0F, 0.0F}).reshape({2, 1, 1, 2}), none = at::zeros_like(z);
  const auto result = [&](const char* norm) {
    RecordedNoise noise({none, z});
    return run_sampler(component("pc", {{"steps", "1"},
                                        {"predictor", "none"},
                                        {"corrector", "langevin"},
                                        {"snr", "0.1"},
                                        {"langevin_norm", norm}}),
                       y, *process_, denoiser, noise);
  };
  const at::Tensor items = result("item"), batch = result("batch");
  const double e0 = 2 * std::pow(0.1 * std::sqrt(2.0) / 5, 2.0), e1 = 2 * std::pow(0.1 * 2 / 1, 2.0);
  EXPECT_NEAR(items[0][0][0][1].item<double>(), 4 * e0 + std::sqrt(2 * e0), 1e-7);
  EXPECT_NEAR(items[1][0][0][0].item<double>(), 2 * std::sqrt(2 * e1), 1e-7);
  EXPECT_NEAR(items[1][0][0][1].item<double>(), e1, 1e-7);
  const double shared = 2 * std::pow(0.1 * ((std::sqrt(2.0) + 2) / 2) / 3, 2.0);
  EXPECT_NEAR(batch[0][0][0][1].item<double>(), 4 * shared + std::sqrt(2 * shared), 1e-7);
  EXPECT_NEAR(batch[1][0][0][1].item<double>(), shared, 1e-7);
}

TEST_F(PcTest, LangevinWithoutAScoreStays) {
  ZeroNoise noise;
  const at::Tensor x = run({{"steps", "1"}, {"predictor", "none"}, {"corrector", "langevin"}}, at_y_, noise);
  EXPECT_EQ(x.item<double>(), 3.0);
}

TEST_F(PcTest, CountsItsCalls) {
  const auto calls = [](const std::vector<std::pair<std::string, std::string>>& keys) {
    return make_sampler(component("pc", keys))->network_calls();
  };
  EXPECT_EQ(calls({}), 60);
  EXPECT_EQ(calls({{"corrector", "none"}}), 30);
  EXPECT_EQ(calls({{"predictor", "none"}, {"steps", "4"}, {"corrector_steps", "3"}}), 12);
}

TEST_F(PcTest, RefusesBridgesAndBadKeys) {
  const auto bridge = make_process(component("sb_ve"));
  ZeroNoise noise;
  const auto [code, message] =
      error_of([&] { run_sampler(component("pc"), y_, *bridge, GaussianOracle(x0_, 0.0, *bridge), noise); });
  EXPECT_EQ(code, Errc::kUsage);
  EXPECT_EQ(message.rfind("sampler pc needs a process whose noise grows towards its start", 0), 0U) << message;
  const struct {
    std::vector<std::pair<std::string, std::string>> keys;
    const char* message;
  } cases[] = {{{{"steps", "0"}}, "sampler.steps must be in 1 to 100000, got 0"},
               {{{"predictor", "euler"}},
                "sampler.predictor must be one of reverse_diffusion, euler_maruyama, none, got 'euler'"},
               {{{"corrector", "al"}}, "sampler.corrector must be one of ald, langevin, none, got 'al'"},
               {{{"langevin_norm", "all"}}, "sampler.langevin_norm must be one of item, batch, got 'all'"},
               {{{"corrector_steps", "0"}}, "sampler.corrector_steps must be in 1 to 1000, got 0"},
               {{{"snr", "-0.1"}}, "sampler.snr must be >= 0, got -0.1"},
               {{{"t_eps", "-1"}}, "sampler.t_eps must be >= 0, got -1"}};
  for (const auto& one : cases) {
    const auto [kind, text] = error_of([&] { make_sampler(component("pc", one.keys)); });
    EXPECT_EQ(kind, Errc::kUsage);
    EXPECT_EQ(text, one.message);
  }
  EXPECT_EQ(error_of([&] {
              run({{"t_eps", "1"}}, known_, noise);
            }).second,
            "sampler.t_eps must be < 1, where the process starts, got 1");
}

}  // namespace
}  // namespace reseda::diffusion
