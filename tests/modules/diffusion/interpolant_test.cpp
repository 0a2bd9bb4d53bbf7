#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "modules/diffusion/oracles/gaussian.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::diffusion {
namespace {

constexpr double kPi = std::numbers::pi;

std::unique_ptr<Process> interpolant(const std::vector<std::pair<std::string, std::string>>& keys) {
  return make_process(component("interpolant", keys));
}

TEST(Interpolant, HasTheNamedPathsAndNoises) {
  const double t = 0.3, g = 0.1 * 0.3 * 0.7, rest = std::sqrt(1 - g * g);
  const struct {
    std::vector<std::pair<std::string, std::string>> keys;
    double a, b, c;
  } rows[] = {
      {{}, 0.7, 0.3, std::sqrt(0.21)},
      {{{"noise", "parabola"}, {"scale", "0.1"}}, 0.7, 0.3, g},
      {{{"noise", "sine_squared"}, {"scale", "2"}}, 0.7, 0.3, 2 * std::pow(std::sin(0.3 * kPi), 2)},
      {{{"path", "trigonometric"}, {"noise", "parabola"}, {"scale", "0.1"}},
       rest * std::cos(0.15 * kPi),
       rest * std::sin(0.15 * kPi),
       g},
      {{{"path", "encoding_decoding"}}, std::pow(std::cos(0.3 * kPi), 2), 0, std::sqrt(0.21)},
      {{{"path", "one_sided_linear"}}, 0.7, 0, 0.3},
      {{{"path", "one_sided_trigonometric"}}, std::cos(0.15 * kPi), 0, std::sin(0.15 * kPi)},
  };
  for (const auto& row : rows) {
    const Marginal m = interpolant(row.keys)->at(t);
    EXPECT_NEAR(m.a.scalar(), row.a, 1e-14);
    EXPECT_NEAR(m.b.scalar(), row.b, 1e-14);
    EXPECT_NEAR(m.c.scalar(), row.c, 1e-14);
  }
  const Marginal later = interpolant({{"path", "encoding_decoding"}})->at(0.8);
  EXPECT_EQ(later.a.scalar(), 0);
  EXPECT_NEAR(later.b.scalar(), std::pow(std::cos(0.8 * kPi), 2), 1e-14);
  // h(1) - h(-1) - h(-4) + h(-6), h logistic, half way
  const auto h = [](double x) { return 1 / (1 + std::exp(-x)); };
  EXPECT_NEAR(interpolant({{"noise", "sigmoid"}})->at(0.5).c.scalar(), h(1) - h(-1) - h(-4) + h(-6), 1e-14);
}

TEST(Interpolant, RatesAreDerivativesOnEveryPath) {
  for (const char* path :
       {"linear", "trigonometric", "encoding_decoding", "one_sided_linear", "one_sided_trigonometric"})
    for (const char* noise : {"brownian", "parabola", "sine_squared", "sigmoid"}) {
      const auto process = interpolant({{"path", path}, {"noise", noise}, {"scale", "0.7"}});
      for (const double t : {0.1, 0.35, 0.6, 0.9}) {
        const Marginal up = process->at(t + 1e-6), down = process->at(t - 1e-6);
        const Rates r = process->rate(t);
        EXPECT_NEAR((up.a.scalar() - down.a.scalar()) / 2e-6, r.a.scalar(), 1e-7) << path << noise << t;
        EXPECT_NEAR((up.b.scalar() - down.b.scalar()) / 2e-6, r.b.scalar(), 1e-7) << path << noise << t;
        EXPECT_NEAR((up.c.scalar() - down.c.scalar()) / 2e-6, r.c.scalar(), 1e-7) << path << noise << t;
      }
    }
}

TEST(Interpolant, LinearWithBrownianNoiseIsABrownianBridge) {
  const auto own = interpolant({{"scale", "0.5"}});
  const auto bridge = make_process(component("sb_ve", {{"k", "1"}, {"c", "0.25"}, {"eps", "0"}}));
  for (const double t : {0.1, 0.5, 0.9}) {
    const Marginal m = own->at(t), n = bridge->at(t);
    EXPECT_NEAR(m.a.scalar(), n.a.scalar(), 1e-14);
    EXPECT_NEAR(m.c.scalar(), n.c.scalar(), 1e-14);
    EXPECT_NEAR(forward_sde(m, own->rate(t)).g.scalar(), 0.5, 1e-12);
  }
}

TEST(Interpolant, StartsAtTheMeasurementOrFromNoise) {
  const at::Tensor y = at::full({1, 1, 2, 2}, 2.0);
  RecordedNoise noise({at::full({1, 1, 2, 2}, -1.0F)});
  EXPECT_TRUE(at::equal(interpolant({})->prior(y, noise, ""), y));
  EXPECT_TRUE(at::equal(interpolant({{"path", "one_sided_linear"}})->prior(y, noise, ""), at::full_like(y, -1.0)));
}

TEST(Interpolant, RefusesWhatItCannotBe) {
  const auto message = [](const std::vector<std::pair<std::string, std::string>>& keys) {
    const auto [code, text] = error_of([&] { interpolant(keys); });
    EXPECT_EQ(code, Errc::kUsage);
    return text;
  };
  EXPECT_NE(message({{"path", "mirror"}}).find("process.path must be one of linear, trigonometric"), std::string::npos);
  EXPECT_EQ(message({{"scale", "-1"}}), "process.scale must be > 0, got -1");
  EXPECT_EQ(message({{"path", "trigonometric"}, {"scale", "2"}}),
            "process.scale must keep the noise of a trigonometric path below 1, got 2");
  EXPECT_EQ(message({{"t_end", "1"}}), "process.t_end must be in (0, 1 - gap), got 1");
}

/// x0 ~ N(0.5, 0.6^2) and y = -1 at many pixels; one-sided, so that the flow has a spread to keep.
class InterpolantSde : public testing::Test {
 protected:
  at::Tensor sample(const std::vector<std::pair<std::string, std::string>>& keys) const {
    CounterNoise noise(2);
    return run_sampler(component("interpolant_sde", keys), y_, *process_, oracle_, noise);
  }

  std::unique_ptr<Process> process_ = interpolant({{"path", "one_sided_trigonometric"}});
  at::Tensor y_ = at::full({1, 1, 96, 96}, -1.0, at::kDouble);
  GaussianOracle oracle_{at::full({1}, 0.5, at::kDouble), 0.6, *process_};
};

TEST_F(InterpolantSde, EveryStochasticityHasTheSameMarginals) {
  at::Tensor before;
  for (const char* epsilon : {"0", "0.3", "1"}) {
    // The estimate of x0 at t_end is what is returned; it is the state there but for a shrinkage of 1e-5.
    const at::Tensor x = sample({{"epsilon", epsilon}, {"steps", "60"}});
    EXPECT_NEAR(x.mean().item<double>(), 0.5, 0.03) << epsilon;
    EXPECT_NEAR(x.std().item<double>(), 0.6, 0.02) << epsilon;
    if (before.defined()) {
      EXPECT_GT((x - before).abs().max().item<double>(), 0.1);
    }
    before = x;
  }
}

TEST_F(InterpolantSde, HeunIsOfSecondOrderWithoutNoise) {
  const at::Tensor exact = sample({{"steps", "800"}});
  const auto error = [&](const char* scheme, const char* steps) {
    return (sample({{"scheme", scheme}, {"steps", steps}}) - exact).abs().max().item<double>();
  };
  EXPECT_NEAR(std::log2(error("euler", "40") / error("euler", "80")), 1, 0.2);
  EXPECT_NEAR(std::log2(error("heun", "20") / error("heun", "40")), 2, 0.3);
}

TEST_F(InterpolantSde, SpreadsItsStochasticityOverTime) {
  const at::Tensor even = sample({{"epsilon", "0.3"}, {"steps", "20"}});
  const at::Tensor shaped = sample({{"epsilon", "0.3"}, {"steps", "20"}, {"spread", "with_noise"}});
  EXPECT_GT((even - shaped).abs().max().item<double>(), 1e-3);
  EXPECT_NEAR(shaped.std().item<double>(), 0.6, 0.03);
}

TEST_F(InterpolantSde, CountsCallsAndDraws) {
  ListedNoise noise;
  run_sampler(component("interpolant_sde", {{"epsilon", "1"}, {"steps", "2"}}), y_.slice(3, 0, 1), *process_, oracle_,
              noise);
  EXPECT_EQ(noise.draws, (std::vector<std::string>{"prior 0", "predictor 0", "predictor 1"}));
  EXPECT_EQ(make_sampler(component("interpolant_sde", {{"steps", "3"}}))->network_calls(), 7);
  EXPECT_EQ(make_sampler(component("interpolant_sde", {{"steps", "3"}, {"scheme", "euler"}}))->network_calls(), 4);
}

}  // namespace
}  // namespace reseda::diffusion
