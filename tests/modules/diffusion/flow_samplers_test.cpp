#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/diffusion/oracles/gaussian.hpp"
#include "modules/diffusion/samplers/reverse_step.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::diffusion {
namespace {

using Keys = std::vector<std::pair<std::string, std::string>>;

class FlowTest : public testing::Test {
 protected:
  std::unique_ptr<Process> process_ = make_process(component("ou_ve"));
  std::unique_ptr<Process> bridge_ = make_process(component("sb_ve"));
  at::Tensor y_ = at::tensor({3.0, -1.0}).reshape({1, 1, 1, 2});
  at::Tensor mu_ = at::tensor({1.0, 0.5}).reshape({1, 1, 1, 2});
  double deviation_ = 0.3;

  GaussianOracle oracle(const Process& process) const { return {mu_, deviation_, process}; }

  /// The probability flow carries e / sqrt(a^2 d^2 + c^2) unchanged, e = x - b y - a mu.
  at::Tensor transported(const Process& process, const at::Tensor& x, double from, double to) const {
    const Marginal before = process.at(from), after = process.at(to);
    const auto spread = [this](const Marginal& m) { return std::hypot(m.a.scalar() * deviation_, m.c.scalar()); };
    return after.mean(mu_, y_) + (x - before.mean(mu_, y_)) * (spread(after) / spread(before));
  }

  /// Largest error of a run of the flow at t_end against the exact transport of the same prior.
  double error(const ConfigNode& config) const {
    CounterNoise noise(21);
    const at::Tensor start = process_->prior(y_, noise, "item");
    const at::Tensor end = run_sampler(config, y_, *process_, oracle(*process_), noise);
    return (end - transported(*process_, start, 1.0, 0.03)).abs().max().item<double>();
  }
  double error(const char* method, const char* steps) const {
    return error(component("pf_ode", {{"method", method}, {"steps", steps}, {"denoise", "none"}}));
  }
};

TEST_F(FlowTest, FixedMethodsHaveTheirOrders) {
  EXPECT_NEAR(std::log2(error("euler", "100") / error("euler", "200")), 1.0, 0.1);
  EXPECT_NEAR(std::log2(error("heun", "100") / error("heun", "200")), 2.0, 0.15);
  EXPECT_NEAR(std::log2(error("rk4", "50") / error("rk4", "100")), 4.0, 0.3);
  EXPECT_LT(error("rk4", "100"), 1e-6);
}

TEST_F(FlowTest, AdaptiveMethodMeetsItsTolerance) {
  const auto adaptive = [](const char* tolerance) {
    return component("pf_ode", {{"rtol", tolerance}, {"atol", tolerance}, {"denoise", "none"}});
  };
  EXPECT_LT(error(adaptive("1e-5")), 1e-4);
  EXPECT_LT(error(adaptive("1e-10")), 1e-9);
}

TEST_F(FlowTest, AdaptiveStepsBelongToTheItem) {
  const at::Tensor more = at::cat({y_, y_ * 40.0});
  const FunctionDenoiser denoiser(
      [&](const at::Tensor& x, double t, const Condition& condition) { return oracle(*process_)(x, t, condition); });
  ZeroNoise noise;
  const ConfigNode config = component("pf_ode", {{"rtol", "1e-3"}, {"atol", "1e-3"}});
  const at::Tensor both = run_sampler(config, more, *process_, denoiser, noise);
  EXPECT_TRUE(at::equal(both.narrow(0, 0, 1), run_sampler(config, y_, *process_, denoiser, noise)));
}

TEST_F(FlowTest, DenoisingStepHasTheLengthAsked) {
  CounterNoise noise(3);
  const GaussianOracle denoiser = oracle(*process_);
  const Keys common = {{"method", "heun"}, {"steps", "8"}};
  const auto run = [&](const char* denoise) {
    Keys keys = common;
    keys.emplace_back("denoise", denoise);
    return run_sampler(component("pf_ode", keys), y_, *process_, denoiser, noise);
  };
  const at::Tensor x = run("none");
  for (const auto& [name, length] : {std::pair{"t_eps", 0.03}, std::pair{"1/N", 0.125}}) {
    const at::Tensor expected = reverse_step(*process_, 0.03, length).mean(x, y_, denoiser(x, 0.03, {y_}));
    EXPECT_TRUE(at::allclose(run(name), expected, 1e-12, 1e-12)) << name;
  }
  EXPECT_EQ(make_sampler(component("pf_ode", common))->network_calls(), 17);
  EXPECT_EQ(make_sampler(component("pf_ode"))->network_calls(), -1);
}

TEST_F(FlowTest, OneCallOfDdimIsTheFirstEstimate) {
  CounterNoise noise(8);
  for (const Process* process : {process_.get(), bridge_.get()}) {
    const at::Tensor expected = oracle(*process)(process->prior(y_, noise, "item"), 1.0, {y_}).x0;
    EXPECT_TRUE(at::equal(run_sampler(component("bridge_ddim"), y_, *process, oracle(*process), noise), expected));
  }
}

TEST_F(FlowTest, DdimConvergesToTheFlow) {
  const auto config = [](const char* steps) {
    return component("bridge_ddim", {{"steps", steps}, {"final_state", "t_end"}});
  };
  EXPECT_NEAR(std::log2(error(config("100")) / error(config("200"))), 1.0, 0.1);
}

TEST_F(FlowTest, DdimOnTheBridgeIsItsOdeAndItsSde) {
  CounterNoise noise(13);
  // The grids agree to float32, and conditioning at the state's own time is what DDIM does.
  const Keys keys = {{"steps", "6"}, {"schedule", "exact"}, {"conditioning", "current"}};
  const auto ddim = [&](const char* eta) {
    return run_sampler(component("bridge_ddim", {{"steps", "6"}, {"eta", eta}, {"final_state", "t_end"}}), y_, *bridge_,
                       oracle(*bridge_), noise);
  };
  EXPECT_TRUE(
      at::allclose(run_sampler(component("sb_ode", keys), y_, *bridge_, oracle(*bridge_), noise), ddim("0"), 0, 1e-6));
  EXPECT_TRUE(
      at::allclose(run_sampler(component("sb_sde", keys), y_, *bridge_, oracle(*bridge_), noise), ddim("1"), 0, 1e-6));
}

TEST_F(FlowTest, StochasticDdimSpreadsLikeTheData) {
  const at::Tensor y = at::full({1, 1, 120, 120}, 2.0, at::kDouble);
  const at::Tensor mu = at::full({1}, -0.5, at::kDouble);
  for (const Process* process : {process_.get(), bridge_.get()}) {
    CounterNoise noise(17);
    const GaussianOracle denoiser(mu, 0.3, *process);
    at::Tensor state;
    run_sampler(component("bridge_ddim", {{"steps", "400"}, {"eta", "1"}, {"final_state", "t_end"}}), y, *process,
                denoiser, noise, [&](std::int64_t, const at::Tensor& x) { state = x; });
    const Marginal end = process->at(process->t_end());
    EXPECT_NEAR(state.std().item<double>(), std::hypot(end.a.scalar() * 0.3, end.c.scalar()), 0.01);
  }
}

TEST_F(FlowTest, DdimCallsAtTheListedTimes) {
  std::vector<double> seen;
  const FunctionDenoiser denoiser([&](const at::Tensor& x, double t, const Condition&) {
    seen.push_back(t);
    return Estimates{at::full_like(x, 5.0), at::full_like(x, 0.5)};
  });
  ListedNoise noise;
  std::vector<at::Tensor> states;
  const at::Tensor end = run_sampler(component("bridge_ddim", {{"times", "[1.0, 0.3]"}, {"eta", "0.5"}}), y_, *bridge_,
                                     denoiser, noise, [&](std::int64_t, const at::Tensor& x) { states.push_back(x); });
  EXPECT_EQ(seen, (std::vector<double>{1.0, 0.3}));
  EXPECT_EQ(noise.draws, std::vector<std::string>{"predictor 0"});
  EXPECT_TRUE(at::equal(end, at::full_like(y_, 5.0)));
  // At t = 1 the bridge has hardly any noise, so s = 0.5 c and eps keeps sqrt(1 - 0.25) of c.
  const Marginal m = bridge_->at(0.3);
  const at::Tensor expected = m.mean(at::full_like(y_, 5.0), y_) + 0.5 * m.c.scalar() * std::sqrt(0.75);
  EXPECT_TRUE(at::allclose(states[0], expected, 1e-6, 1e-6));
  EXPECT_EQ(make_sampler(component("bridge_ddim", {{"times", "[1.0, 0.3]"}}))->network_calls(), 2);
}

TEST_F(FlowTest, DdimMayDropTheEstimatedNoise) {
  const FunctionDenoiser denoiser([&](const at::Tensor& x, double, const Condition&) {
    return Estimates{at::full_like(x, 5.0), at::full_like(x, 0.5)};
  });
  ZeroNoise noise;
  at::Tensor state;
  run_sampler(component("bridge_ddim", {{"steps", "2"}, {"carry", "0"}}), y_, *bridge_, denoiser, noise,
              [&](std::int64_t step, const at::Tensor& x) {
                if (step == 0) state = x;
              });
  EXPECT_TRUE(at::allclose(state, bridge_->at(0.50005).mean(at::full_like(y_, 5.0), y_), 1e-12));
}

TEST_F(FlowTest, SayWhatIsWrong) {
  const struct {
    const char* name;
    Keys keys;
    const char* message;
  } cases[] = {{"bridge_ddim", {{"steps", "0"}}, "sampler.steps must be in 1 to 100000, got 0"},
               {"bridge_ddim", {{"times", "[1, 0.5, 0.5]"}}, "sampler.times must fall, got 0.5 as number 3"},
               {"bridge_ddim", {{"eta", "1.5"}}, "sampler.eta must be in [0, 1], got 1.5"},
               {"bridge_ddim", {{"carry", "-1"}}, "sampler.carry must be in [0, 1], got -1"},
               {"bridge_ddim", {{"final_state", "x"}}, "sampler.final_state must be one of x0, t_end, denoise, got 'x'"},
               {"pf_ode", {{"method", "rk23"}}, "sampler.method must be one of rk45, euler, heun, rk4, got 'rk23'"},
               {"pf_ode", {{"denoise", "yes"}}, "sampler.denoise must be one of t_eps, 1/N, none, got 'yes'"},
               {"pf_ode", {{"rtol", "0"}}, "sampler.rtol must be in [1e-13, 1), got 0"},
               {"pf_ode", {{"atol", "0"}}, "sampler.atol must be > 0, got 0"},
               {"pf_ode", {{"max_calls", "3"}}, "sampler.max_calls must be >= 8, got 3"},
               {"pf_ode", {{"steps", "0"}}, "sampler.steps must be in 1 to 100000, got 0"},
               {"pf_ode", {{"t_eps", "-1"}}, "sampler.t_eps must be >= 0, got -1"}};
  for (const auto& one : cases) {
    const auto [code, message] = error_of([&] { make_sampler(component(one.name, one.keys)); });
    EXPECT_EQ(code, Errc::kUsage);
    EXPECT_EQ(message, one.message);
  }
  ZeroNoise noise;
  const auto run = [&](const char* name, const Keys& keys) {
    return error_of([&] { run_sampler(component(name, keys), y_, *process_, oracle(*process_), noise); }).second;
  };
  EXPECT_EQ(run("bridge_ddim", {{"times", "[0.9, 0.5]"}}),
            "sampler.times must begin with 1, where the process starts, got 0.9");
  EXPECT_EQ(run("bridge_ddim", {{"times", "[1, 0.01]"}}),
            "sampler.times must stay above 0.03, where the process ends, got 0.01");
  EXPECT_EQ(run("pf_ode", {{"t_eps", "2"}}), "sampler.t_eps must be < 1, where the process starts, got 2");
}

}  // namespace
}  // namespace reseda::diffusion
