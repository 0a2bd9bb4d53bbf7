// Gradients through samplers, and the search over the start noise.
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "modules/inverse/discrete_adjoint.hpp"
#include "tests/modules/inverse/solvers/small_problem.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::inverse {
namespace {

/// A small network of two layers, smooth in x and t, that mixes the pixels of an item.
class SmallNetwork final : public diffusion::Denoiser {
 public:
  explicit SmallNetwork(const diffusion::Process& process) : process_(process) {
    CounterNoise noise(11);
    const auto matrix = [&](const char* name, std::int64_t rows, std::int64_t columns) {
      return (noise.normal({"net", name}, {rows, columns}).to(at::kDouble) * 0.3).requires_grad_(true);
    };
    in_ = matrix("in", 8, 12);
    out_ = matrix("out", 12, 8);
  }
  diffusion::Estimates operator()(const at::Tensor& x, double t, const diffusion::Condition& condition) const override {
    ++calls;
    recorded_calls += c10::GradMode::is_enabled() ? 1 : 0;
    const at::Tensor flat = x.reshape({x.size(0), 8});
    at::Tensor hidden = at::tanh(flat.matmul(in_) + t);
    if (condition.x0_before.defined()) hidden = hidden + 0.1 * condition.x0_before.reshape(flat.sizes()).matmul(in_);
    const at::Tensor eps = hidden.matmul(out_).reshape(x.sizes());
    return diffusion::estimates_from(diffusion::Target::kEps, eps, x, condition.y, process_.at(t), {});
  }
  mutable std::int64_t calls = 0, recorded_calls = 0;

 private:
  const diffusion::Process& process_;
  at::Tensor in_, out_;
};

/// x = cos x0 + sin eps, which starts from z exactly.
diffusion::PlainProcess preserving(double end = 0.05) {
  return {1.4, end, [](double t) { return diffusion::Marginal{std::cos(t), 0.0, std::sin(t)}; }};
}

class DiscreteAdjoint : public testing::TestWithParam<ConfigNode> {};

TEST_P(DiscreteAdjoint, IsTheGradientOfTheStepsThatWereTaken) {
  const diffusion::PlainProcess process = preserving();
  const SmallNetwork network(process);
  const auto sampler = diffusion::make_sampler(GetParam());
  CounterNoise noise(2);
  const at::Tensor z = noise.normal({"z", ""}, {2, 2, 2, 2}).to(at::kDouble),
                   v = noise.normal({"v", ""}, {2, 2, 2, 2}).to(at::kDouble);

  // The whole graph of the run at once.
  struct Given final : NoiseSource {
    Given(NoiseSource& inner, at::Tensor z) : source(inner), given(std::move(z)) {}
    at::Tensor normal(const DrawKey& key, at::IntArrayRef shape, at::ScalarType type) override {
      return key.stream == "prior" ? given : source.normal(key, shape, type);
    }
    at::Tensor uniform(const DrawKey& key, at::IntArrayRef shape) override { return source.uniform(key, shape); }
    NoiseSource& source;
    at::Tensor given;
  } whole(noise, z.clone().requires_grad_(true));
  diffusion::SampleContext context{.noise = whole, .item = "item", .on_step = {}, .trace = {}};
  const at::Tensor image = sampler->run(at::zeros_like(z), process, network, context);
  const at::Tensor expected = torch::autograd::grad({image}, {whole.given}, {v})[0];
  const std::int64_t calls = network.calls;

  network.calls = network.recorded_calls = 0;
  const c10::InferenceMode inference;
  const SampledImage sampled(*sampler, process, network, noise, "item", z);
  EXPECT_LT(largest(sampled.image() - image), 1e-12);
  EXPECT_EQ(network.calls, calls);
  EXPECT_EQ(network.recorded_calls, 0) << "going forward, no graph of the network is kept";
  EXPECT_LT(largest(sampled.pull_back(v) - expected), 1e-10 * (1 + largest(expected)));
  EXPECT_GT(largest(expected), 1e-3);
  EXPECT_LE(network.recorded_calls, calls);
  EXPECT_GE(network.recorded_calls, calls - calls / 20 - 1) << "going back, each call that matters is made once more";
}

INSTANTIATE_TEST_SUITE_P(Samplers, DiscreteAdjoint,
                         testing::Values(component("bridge_ddim", {{"steps", "6"}}),
                                         component("bridge_ddim", {{"steps", "6"}, {"eta", "0.6"}}),
                                         component("heun", {{"steps", "5"}, {"grid", "uniform"}}),
                                         component("dpm_solver_pp", {{"steps", "6"}}),
                                         component("dpm_solver_pp", {{"steps", "6"}, {"order", "3"}}),
                                         component("unipc", {{"steps", "6"}}),
                                         component("unipc", {{"steps", "6"}, {"order", "3"}}),
                                         component("ghvb", {{"steps", "6"}}), component("pf_ode")),
                         [](const auto& sampler) {
                           std::string name = sampler.param.find("name")->scalar();
                           for (const char* key : {"eta", "order"})
                             if (const ConfigNode* value = sampler.param.find(key))
                               name += std::string("_") + key + value->scalar().substr(0, 1);
                           return name;
                         });

TEST(SampledImage, OfAGaussianHasTheSlopeOfTheFlow) {
  const diffusion::PlainProcess process = preserving();
  const double d = 0.5;
  const diffusion::GaussianOracle oracle(at::full({1}, 0.2, at::kDouble), d, process);
  const auto sampler = diffusion::make_sampler(
      component("unipc", {{"steps", "60"}, {"order", "3"}, {"grid", "log_snr"}, {"final_state", "t_end"}}));
  ZeroNoise noise;
  const at::Tensor z = at::randn({1, 1, 2, 2}, at::kDouble), v = at::ones_like(z);
  const SampledImage sampled(*sampler, process, oracle, noise, "item", z);
  const auto scale = [&](double t) { return std::sqrt(std::pow(std::cos(t) * d, 2.0) + std::pow(std::sin(t), 2.0)); };
  // x at t_end = ... scale(t_end) / scale(t_start) (c z - a mu); the prior is c z.
  EXPECT_LT(largest(sampled.pull_back(v) - std::sin(1.4) * scale(0.05) / scale(1.4)), 1e-4);
}

/// A process whose prior is exactly the Gaussian's marginal at the start.
struct Standardised final : diffusion::PlainProcess {
  Standardised(at::Tensor mean, double deviation)
      : diffusion::PlainProcess(preserving(0.01)), mu(std::move(mean)), d(deviation) {}
  at::Tensor prior(const at::Tensor& y, NoiseSource& noise, std::string_view item) const override {
    const double a = std::cos(start), c = std::sin(start);
    return a * mu + std::sqrt(a * a * d * d + c * c) * diffusion::draw_like(noise, {item, "prior", 0}, y);
  }
  at::Tensor mu;
  double d;
};

class NoiseOptimisation : public testing::Test {
 protected:
  static constexpr double kD = 0.5, kSigma = 0.1;
  at::Tensor draw(const char* stream, at::IntArrayRef shape) {
    return diffusion::draw_like(noise_, {"data", stream, 0}, at::empty(shape, at::kDouble));
  }
  CounterNoise noise_{8};
  std::unique_ptr<ForwardOperator> op_ = make_operator(component("super_resolution", {{"factor", "2"}}), {1, 4, 4});
  at::Tensor mu_ = 0.4 * draw("mean", {1, 1, 4, 4});
  at::Tensor y_ = op_->apply(mu_ + kD * draw("truth", {2, 1, 4, 4})) + kSigma * draw("n", {2, 1, 2, 2});
  Standardised process_{mu_, kD};
  diffusion::GaussianOracle oracle_{mu_, kD, process_};
};

TEST_F(NoiseOptimisation, FindsThePosteriorsMeanOfALinearGaussianProblem) {
  ConfigNode config =
      component("noise_optimisation",
                {{"steps", "250"}, {"lr", "0.2"}, {"beta2", "0.9"}, {"warm_up", "5"}, {"unit_gradient", "false"}});
  config["sampler"] = component("unipc", {{"steps", "14"}, {"order", "3"}, {"grid", "log_snr"}});
  const at::Tensor found = solve(config, y_, *op_, process_, oracle_, noise_, {.sigma_y = kSigma});
  EXPECT_LT(largest(found - posterior_mean(*op_, y_, mu_, kD, kSigma)), 1e-4);
}

TEST_F(NoiseOptimisation, MinimisesWhatItReports) {
  const Keys keys = {{"steps", "3"},          {"warm_up", "0"},           {"unit_gradient", "false"},
                     {"prior_weight", "0.5"}, {"distance_weight", "0.3"}, {"decorrelation_weight", "2"}};
  std::vector<SolverStep> steps;
  solve(component("noise_optimisation", keys), y_, *op_, process_, oracle_, noise_,
        {.sigma_y = kSigma, .on_step = [&](const SolverStep& s) { steps.push_back(s); }});
  // The gradient of step 1, by differences of the loss that a run started there reports.
  const at::Tensor z = steps[0].state, first = diffusion::draw_like(noise_, {"item", "prior", 0}, z);
  const auto loss = [&](const at::Tensor& at) {
    const auto sampler = diffusion::make_sampler(component("bridge_ddim", {{"steps", "10"}}));
    const SampledImage sampled(*sampler, process_, oracle_, noise_, "item", at);
    const at::Tensor fit = item_norm(y_ - op_->apply(sampled.image())).square() / (2 * kSigma * kSigma);
    at::Tensor r = at::zeros({2}, at::kDouble), field = at;
    for (int scale = 0; scale < 2; ++scale) {
      for (const std::int64_t axis : {2, 3}) r = r + (field * at::roll(field, {1}, {axis})).flatten(1).mean(1).square();
      field = at::avg_pool2d(field, {2, 2});
    }
    return fit + 0.25 * item_norm(at).square() + 0.3 * item_norm(at - first) + 2 * r;
  };
  EXPECT_LT(largest(loss(z) - steps[1].loss), 1e-9 * largest(steps[1].loss));
  const double h = 1e-5;
  for (const std::int64_t i : {0, 6}) {
    at::Tensor up = z.clone(), down = z.clone();
    up.view({2, 16})[1][i] += h;
    down.view({2, 16})[1][i] -= h;
    EXPECT_NEAR(steps[1].gradient.reshape({2, 16})[1][i].item<double>(),
                ((loss(up) - loss(down)) / (2 * h))[1].item<double>(), 1e-4);
  }
}

TEST_F(NoiseOptimisation, ScalesEachItemsGradientToOneAndWarmsUp) {
  std::vector<SolverStep> steps;
  solve(component("noise_optimisation", {{"steps", "3"}, {"warm_up", "2"}, {"lr", "0.1"}}), y_, *op_, process_, oracle_,
        noise_, {.sigma_y = kSigma, .on_step = [&](const SolverStep& s) { steps.push_back(s); }});
  EXPECT_LT(largest(item_norm(steps[0].gradient) - 1), 1e-12);
  const at::Tensor first = diffusion::draw_like(noise_, {"item", "prior", 0}, steps[0].state);
  EXPECT_TRUE(at::equal(steps[0].state, first)) << "the rate of step 0 is 0";
  EXPECT_GT(largest(steps[1].state - first), 1e-3);
}

TEST_F(NoiseOptimisation, CountsItsCalls) {
  std::int64_t calls = 0;
  const diffusion::FunctionDenoiser counted([&](const at::Tensor& x, double t, const diffusion::Condition& condition) {
    ++calls;
    return oracle_(x, t, condition);
  });
  const ConfigNode config = component("noise_optimisation", {{"steps", "4"}});
  solve(config, y_, *op_, process_, counted, noise_, {.sigma_y = kSigma});
  EXPECT_EQ(calls, make_solver(config)->network_calls());
  EXPECT_EQ(calls, (2 * 4 + 1) * 10);
}

TEST_F(NoiseOptimisation, RefusesSettingsByName) {
  tests::expect_error(Errc::kUsage, "solver.lr must be > 0, got 0", [] {
    make_solver(component("noise_optimisation", {{"lr", "0"}}));
  });
  tests::expect_error(Errc::kUsage, "unknown sampler 'bridge_ddin'", [] {
    make_solver(component("noise_optimisation", {{"sampler.name", "bridge_ddin"}}));
  });
}

}  // namespace
}  // namespace reseda::inverse
