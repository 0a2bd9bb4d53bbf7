// Measured order of every solver on the exact denoiser of a mixture, and the invariant of the flow in one dimension.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "modules/diffusion/oracles/gaussian_mixture.hpp"
#include "modules/diffusion/time_grid.hpp"
#include "tests/modules/diffusion/plain_processes.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::diffusion {
namespace {

using Keys = std::vector<std::pair<std::string, std::string>>;

/// Three isotropic components in sixteen dimensions, whose centres are drawn.
GaussianMixtureOracle mixture(const Process& process, double deviation) {
  CounterNoise noise(2);
  std::vector<GaussianMixtureOracle::Component> components;
  for (const char* name : {"first", "second", "third"})
    components.push_back({1.0, noise.normal({name, "centre", 0}, {16}).to(at::kDouble), deviation});
  return {components, process};
}

/// The flow from the prior to t_end by fourth-order Runge-Kutta in s = ln(c / a): d(x~ / a) / ds = (c / a) eps.
at::Tensor reference(const at::Tensor& y, const Process& process, const Denoiser& denoiser, NoiseSource& noise) {
  constexpr int kSteps = 700;
  const double first = std::log(noise_to_signal(process, process.t_start())),
               h = (std::log(noise_to_signal(process, process.t_end())) - first) / kSteps;
  const auto slope = [&](const at::Tensor& z, double s, double t) {
    const Marginal m = process.at(t);
    return std::exp(s) * denoiser(m.a * z + m.b * y, t, {y}).eps;
  };
  const Marginal start = process.at(process.t_start()), end = process.at(process.t_end());
  at::Tensor z = (process.prior(y, noise, "item") - start.b * y) / start.a.scalar();
  double t = process.t_start();
  for (int i = 0; i < kSteps; ++i) {
    const double s = first + h * i, half = time_of_noise_to_signal(process, std::exp(s + h / 2)),
                 next = time_of_noise_to_signal(process, std::exp(s + h));
    const at::Tensor k1 = slope(z, s, t), k2 = slope(z + h / 2 * k1, s + h / 2, half);
    const at::Tensor k3 = slope(z + h / 2 * k2, s + h / 2, half);
    z = z + h / 6 * (k1 + 2 * k2 + 2 * k3 + slope(z + h * k3, s + h, next));
    t = next;
  }
  return end.a * z + end.b * y;
}

struct OrderCase {
  const char* sampler;
  Keys keys;
  double slope, tolerance;
};

const std::vector<OrderCase>& cases() {
  static const std::vector<OrderCase> list = {
      {"bridge_ddim", {}, 1, 0.1},
      {"heun", {{"grid", "karras"}}, 2, 0.15},
      {"dpm_solver_pp", {{"order", "1"}}, 1, 0.1},
      {"dpm_solver_pp", {{"order", "2"}}, 2, 0.15},
      {"dpm_solver_pp", {{"order", "2"}, {"variant", "taylor"}}, 2, 0.15},
      // A multistep method that starts with a step of order 1 stays of order 2, with a smaller error.
      {"dpm_solver_pp", {{"order", "3"}}, 2, 0.15},
      {"unipc", {{"order", "1"}}, 2, 0.15},
      {"unipc", {{"order", "2"}}, 3, 0.2},
      {"unipc", {{"order", "2"}, {"variant", "bh1"}}, 3, 0.2},
      {"unipc", {{"order", "2"}, {"corrector", "false"}}, 2, 0.15},
      {"unipc", {{"order", "3"}}, 3, 0.3},
      {"ghvb", {{"order", "1"}}, 1, 0.1},
      {"ghvb", {{"order", "1.5"}}, 2, 0.15},
      {"ghvb", {{"order", "2"}}, 2, 0.15},
      {"ghvb", {{"order", "2.5"}}, 2, 0.15},
      {"ghvb", {{"order", "3"}}, 2, 0.15}};
  return list;
}

class OrderOnMixture : public testing::Test {
 protected:
  double error(const OrderCase& one, std::int64_t steps, const Process& process, const at::Tensor& exact) {
    Keys keys = {{"steps", std::to_string(steps)}, {"grid", "log_snr"}, {"final_state", "t_end"}};
    for (const auto& key : one.keys) {
      if (key.first == "grid") keys[1] = key;
      if (key.first != "grid") keys.push_back(key);
    }
    const auto oracle = mixture(process, deviation_);
    const at::Tensor found = run_sampler(component(one.sampler, keys), y_, process, oracle, noise_);
    return (found - exact).square().mean().sqrt().item<double>();
  }

  /// log2 of the ratio of the errors of 80 and 160 steps.
  void expect_orders(const Process& process, const std::vector<OrderCase>& list) {
    const at::Tensor exact = reference(y_, process, mixture(process, deviation_), noise_);
    for (const OrderCase& one : list) {
      const double coarse = error(one, 80, process, exact), fine = error(one, 160, process, exact);
      std::string label = one.sampler;
      for (const auto& [key, value] : one.keys) label += " " + key + "=" + value;
      EXPECT_NEAR(std::log2(coarse / fine), one.slope, one.tolerance) << label << ": " << coarse << ", " << fine;
      RecordProperty(label, std::to_string(coarse) + " " + std::to_string(fine));
    }
  }

  double deviation_ = 0.25;
  CounterNoise noise_{1};
  at::Tensor y_ = draw_like(noise_, {"data", "y", 0}, at::empty({8, 16}, at::kDouble));
};

TEST_F(OrderOnMixture, VarianceExploding) { expect_orders(exploding(), cases()); }

TEST_F(OrderOnMixture, AnchoredBridge) {
  const PlainProcess bridge(1.0, 1e-3, [](double t) { return Marginal{1 / (1 + 3 * t), 1 - 1 / (1 + 3 * t), 4 * t}; });
  expect_orders(bridge, cases());
}

/// Bridges that begin near y spread late: with a narrow mixture 80 steps are not many.
TEST_F(OrderOnMixture, SpeechBridges) {
  deviation_ = 0.7;
  for (const char* name : {"ou_ve", "sb_ve"})
    expect_orders(*make_process(component(name)), {{"bridge_ddim", {}, 1, 0.1},
                                                   {"heun", {{"grid", "karras"}}, 2, 0.15},
                                                   {"dpm_solver_pp", {}, 2, 0.15},
                                                   {"unipc", {}, 3, 0.25},
                                                   {"ghvb", {}, 2, 0.2}});
}

TEST(FlowInOneDimension, KeepsTheDistributionFunction) {
  const PlainProcess process = exploding();
  const GaussianMixtureOracle oracle({{0.3, at::full({1}, -1.0, at::kDouble), 0.2},
                                      {0.5, at::full({1}, 0.5, at::kDouble), 0.3},
                                      {0.2, at::full({1}, 2.0, at::kDouble), 0.1}},
                                     process);
  // 41 starts, from -3 to 3 deviations of the prior.
  const at::Tensor y = at::zeros({41, 1}, at::kDouble), start = at::linspace(-3, 3, 41, at::kFloat).reshape({41, 1});
  const auto largest = [&](std::int64_t steps) {
    RecordedNoise noise({start});
    const at::Tensor end =
        run_sampler(component("heun", {{"steps", std::to_string(steps)}, {"grid", "karras"}, {"final_state", "t_end"}}),
                    y, process, oracle, noise);
    const at::Tensor begin = 80.0 * start.to(at::kDouble);
    return (oracle.cumulative(end, 0.002, {y}) - oracle.cumulative(begin, 80.0, {y})).abs().max().item<double>();
  };
  EXPECT_LT(largest(100), 5e-4);
  EXPECT_LT(largest(500), 2e-5);
  EXPECT_LT(largest(2000), 2e-6);
}

}  // namespace
}  // namespace reseda::diffusion
