#include "modules/diffusion/process.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/diffusion/processes/sb_ve.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::diffusion {
namespace {

TEST(Coef, ScalesInTheTypeOfTheTensor) {
  const at::Tensor real = at::tensor({1.0F, -2.0F});
  const at::Tensor tripled = Coef(3.0) * real;
  EXPECT_EQ(tripled.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(tripled, at::tensor({3.0F, -6.0F})));
  const at::Tensor z = at::complex(at::tensor({1.0F}), at::tensor({2.0F}));
  const at::Tensor doubled = Coef(2.0) * z;
  EXPECT_EQ(doubled.scalar_type(), at::kComplexFloat);
  EXPECT_TRUE(at::equal(doubled, z + z));
}

TEST(Coef, MapsBroadcastAndKeepTheType) {
  const Coef map(at::tensor({1.0, 10.0}).reshape({1, 1, 2}));
  EXPECT_FALSE(map.is_scalar());
  const at::Tensor scaled = map * at::ones({2, 3, 2}, at::kFloat);
  EXPECT_EQ(scaled.scalar_type(), at::kFloat);
  EXPECT_EQ(scaled[1][2][1].item<float>(), 10.0F);
  EXPECT_EQ((map * at::ones({1, 1, 2}, at::kComplexFloat)).scalar_type(), at::kComplexFloat);
  EXPECT_THROW(map.scalar(), Error);
  EXPECT_EQ(Coef(at::scalar_tensor(2.5F)).scalar(), 2.5);
}

TEST(Marginal, ComposesTheThreeTerms) {
  const Marginal marginal{0.5, 0.25, 2.0};
  const at::Tensor x0 = at::tensor({4.0F}), y = at::tensor({8.0F}), eps = at::tensor({-1.0F});
  EXPECT_EQ(marginal.mean(x0, y).item<float>(), 4.0F);
  EXPECT_EQ(marginal.sample(x0, y, eps).item<float>(), 2.0F);
  EXPECT_EQ(marginal.mean(x0, {}).item<float>(), 2.0F);
}

/// One row of the specification's table of the OUVE process.
struct OuRow {
  const char *sigma_min, *sigma_max, *theta;
  double t, sigma, g;
};

TEST(OuVe, AgreesWithTheTable) {
  const OuRow rows[] = {{"0.05", "0.5", "1.5", 1.0, .388982658, 1.072983013},
                        {"0.05", "0.5", "1.5", .966551724137931, .360122810, .993446698},
                        {"0.05", "0.5", "1.5", .498275862068966, .121157063, .337962651},
                        {"0.05", "0.5", "1.5", .03, .018830100, .114972201},
                        {"0.1", "1.0", "2.0", 1.0, .731481480, 2.145966026},
                        {"0.1", "1.0", "2.0", .03, .037390156, .229944403}};
  for (const OuRow& row : rows) {
    const auto process = make_process(
        component("ou_ve", {{"sigma_min", row.sigma_min}, {"sigma_max", row.sigma_max}, {"theta", row.theta}}));
    const Marginal marginal = process->at(row.t);
    const ForwardSde sde = forward_sde(marginal, process->rate(row.t));
    const double theta = std::stod(row.theta);
    EXPECT_NEAR(marginal.c.scalar(), row.sigma, 1e-9);
    EXPECT_NEAR(sde.g.scalar(), row.g, 2e-9);
    EXPECT_NEAR(marginal.a.scalar(), std::exp(-theta * row.t), 1e-12);
    EXPECT_NEAR(marginal.a.scalar() + marginal.b.scalar(), 1.0, 1e-15);
    EXPECT_NEAR(sde.f.scalar(), -theta, 1e-12);
    EXPECT_NEAR(sde.h.scalar(), theta, 1e-12);
  }
}

TEST(OuVe, VarianceFollowsItsEquation) {
  const auto process = make_process(component("ou_ve"));
  const double h = 1e-5;
  for (const double t : {0.05, 0.4, 0.9}) {
    const auto variance = [&](double time) { return std::pow(process->at(time).c.scalar(), 2.0); };
    const double g = 0.05 * std::pow(10.0, t) * std::sqrt(2.0 * std::log(10.0));
    EXPECT_NEAR((variance(t + h) - variance(t - h)) / (2 * h), -3.0 * variance(t) + g * g, 1e-8);
  }
}

TEST(OuVe, PriorIsNoiseAroundTheMeasurement) {
  const auto process = make_process(component("ou_ve"));
  const at::Tensor y = at::complex(at::ones({1, 1, 2, 2}), at::zeros({1, 1, 2, 2}));
  CounterNoise noise(7);
  const at::Tensor z = noise.normal({"clip", "prior", 0}, y.sizes(), at::kComplexFloat);
  EXPECT_TRUE(at::allclose(process->prior(y, noise, "clip"), y + z * 0.388982658, 1e-6, 1e-6));
  ListedNoise listed;
  process->prior(y, listed, "clip");
  EXPECT_EQ(listed.draws, std::vector<std::string>{"prior 0"});
}

TEST(SbVe, AgreesWithTheTable) {
  const auto process = make_process(component("sb_ve"));
  const double total = 1.205637050 + 1e-8;
  const struct {
    double t, s, r;
  } rows[] = {{.980001986, 1.07358396, .230335802},
              {.500050008, .578749657, .933105528},
              {.0200979989, .0905294865, 1.09427667},
              {.0001, .00632439321, 1.09799683}};
  for (const auto& row : rows) {
    const Marginal marginal = process->at(row.t);
    EXPECT_NEAR(marginal.a.scalar(), row.r * row.r / total, 1e-6);
    EXPECT_NEAR(marginal.b.scalar(), row.s * row.s / total, 1e-6);
    EXPECT_NEAR(marginal.c.scalar(), row.r * row.s / std::sqrt(total), 1e-6);
  }
  EXPECT_NEAR(process->at(1.0).c.scalar(), 1e-4, 1e-9);
}

TEST(SbVe, IsTheReferenceProcessDrawnTowardsTheMeasurement) {
  const auto process = make_process(component("sb_ve", {{"eps", "0"}}));
  for (const double t : {0.1, 0.6, 0.95}) {
    const ForwardSde sde = forward_sde(process->at(t), process->rate(t));
    const double g2 = 0.4 * std::pow(2.6, 2 * t);
    const double left = 0.4 * (std::pow(2.6, 2.0) - std::pow(2.6, 2 * t)) / (2 * std::log(2.6));
    EXPECT_NEAR(sde.g.scalar(), std::sqrt(g2), 1e-10);
    EXPECT_NEAR(sde.f.scalar(), -g2 / left, 1e-9 * g2 / left);
    EXPECT_NEAR(sde.h.scalar(), g2 / left, 1e-9 * g2 / left);
  }
}

TEST(SbVe, StartsAtTheMeasurementAndDrawsNothing) {
  const auto process = make_process(component("sb_ve", {{"eps", "0"}}));
  const at::Tensor y = at::rand({1, 1, 2, 2});
  ListedNoise noise;
  EXPECT_TRUE(at::equal(process->prior(y, noise, "clip"), y));
  EXPECT_TRUE(noise.draws.empty());
  EXPECT_EQ(process->at(1.0).a.scalar(), 0.0);
  EXPECT_EQ(process->at(1.0).b.scalar(), 1.0);
  EXPECT_EQ(process->at(1.0).c.scalar(), 0.0);
}

TEST(SbVe, BaseOneIsTheBrownianBridge) {
  const auto process = make_process(component("sb_ve", {{"k", "1"}, {"c", "4"}, {"eps", "0"}}));
  const Marginal marginal = process->at(0.25);
  EXPECT_DOUBLE_EQ(marginal.a.scalar(), 0.75);
  EXPECT_DOUBLE_EQ(marginal.b.scalar(), 0.25);
  EXPECT_DOUBLE_EQ(marginal.c.scalar(), 2.0 * std::sqrt(0.25 * 0.75));
}

TEST(MakeProcess, SaysWhatIsWrong) {
  const struct {
    ConfigNode config;
    const char* message;
  } cases[] = {{component("ou_ve", {{"theta", "0"}}), "process.theta must be > 0, got 0"},
               {component("ou_ve", {{"sigma_min", "-1"}}), "process.sigma_min must be > 0, got -1"},
               {component("ou_ve", {{"sigma_max", "0.01"}}), "process.sigma_max must be > sigma_min, got 0.01"},
               {component("ou_ve", {{"t_end", "1"}}), "process.t_end must be in (0, 1), got 1"},
               {component("sb_ve", {{"k", "0"}}), "process.k must be > 0, got 0"},
               {component("sb_ve", {{"c", "-2"}}), "process.c must be > 0, got -2"},
               {component("sb_ve", {{"eps", "1"}}), "process.eps must be in [0, 1e-3], got 1"},
               {component("sb_ve", {{"t_end", "0"}}), "process.t_end must be in (0, 1), got 0"},
               {component("sb_we"), "unknown process 'sb_we'; did you mean 'sb_ve'? (known: "}};
  for (const auto& one : cases) {
    const auto [code, message] = error_of([&] { make_process(one.config); });
    EXPECT_EQ(code, Errc::kUsage) << one.message;
    EXPECT_EQ(message.substr(0, std::string(one.message).size()), one.message);
  }
  EXPECT_EQ(error_of([] { make_process(component("ou_ve"))->at(-0.1); }).second, "ou_ve: time must be >= 0, got -0.1");
}

}  // namespace
}  // namespace reseda::diffusion
