// What holds for every registered solver on every registered measurement operator, with an exact prior.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "modules/diffusion/batch_noise.hpp"
#include "modules/diffusion/oracles/gaussian.hpp"
#include "modules/inverse/solver.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::inverse {
namespace {

using diffusion::component;
using diffusion::error_of;

const std::vector<std::int64_t> kImage = {3, 16, 16};

ConfigNode operator_config(const std::string& name) {
  ConfigNode node = component(name);
  if (name != "composition") return node;
  ConfigNode parts = ConfigNode::list();
  parts.append(component("super_resolution", {{"factor", "2"}}));
  parts.append(component("blur"));
  node["parts"] = parts;
  return node;
}

ConfigNode solver_config(const std::string& name, const std::string& steps) {
  ConfigNode node = component(name, {{"steps", steps}});
  if (name == "noise_optimisation") node["sampler"] = component("bridge_ddim", {{"steps", "3"}});
  return node;
}

struct Pair {
  const SolverEntry* solver;
  const OperatorEntry* op;
};

class CountedDenoiser final : public diffusion::Denoiser {
 public:
  explicit CountedDenoiser(const diffusion::Denoiser& inner) : inner_(inner) {}
  diffusion::Estimates operator()(const at::Tensor& x, double t, const diffusion::Condition& condition) const override {
    ++calls;
    return inner_(x, t, condition);
  }
  mutable std::int64_t calls = 0;

 private:
  const diffusion::Denoiser& inner_;
};

/// Solvers, operators, a prior and measurements to try them on.
struct Trial {
  explicit Trial(const Pair& pair, const std::string& steps = "3")
      : solver(make_solver(solver_config(pair.solver->name, steps))),
        op(make_operator(operator_config(pair.op->name), kImage)) {}

  at::Tensor run(const at::Tensor& y, const diffusion::Denoiser& denoiser, NoiseSource& source,
                 const ProgressSink& progress = {}) const {
    diffusion::SampleContext sample{.noise = source, .item = "item", .on_step = progress, .trace = {}};
    SolveContext context{.sample = sample, .sigma_y = 0.05, .on_step = {}};
    return solver->solve(y, {}, *op, *process, denoiser, context);
  }
  at::Tensor images(at::ScalarType type = at::kDouble) {
    const at::Tensor drawn = noise.normal({"data", "x"}, {3, kImage[0], kImage[1], kImage[2]});
    return (0.4 * drawn).clamp(-1, 1).to(type);
  }

  std::unique_ptr<Solver> solver;
  std::unique_ptr<ForwardOperator> op;
  std::unique_ptr<diffusion::Process> process =
      diffusion::make_process(component("ddpm", {{"steps", "50"}, {"beta_steps", "1000"}}));
  CounterNoise noise{17};
  diffusion::GaussianOracle oracle{at::zeros({1}, at::kDouble), 0.4, *process};
};

/// What a solver says to an operator: nothing when they fit.
std::pair<Errc, std::string> objection(const Pair& pair) {
  Trial trial(pair);
  const at::Tensor y = trial.op->apply(trial.images().narrow(0, 0, 1));
  const auto error = error_of([&] { trial.run(y, trial.oracle, trial.noise, [](const Progress&) { return false; }); });
  return error.first == Errc::kInterrupted ? std::pair(Errc::kInternal, std::string()) : error;
}

std::vector<Pair> all_pairs() {
  std::vector<Pair> pairs;
  for (const SolverEntry* solver : solver_entries())
    for (const OperatorEntry* op : operator_entries()) pairs.push_back({solver, op});
  return pairs;
}

const std::vector<Pair>& fitting_pairs() {
  static const std::vector<Pair> pairs = [] {
    std::vector<Pair> fitting;
    for (const Pair& pair : all_pairs())
      if (objection(pair).second.empty()) fitting.push_back(pair);
    return fitting;
  }();
  return pairs;
}

TEST(SolversAndOperators, FitOrSayWhyNot) {
  for (const Pair& pair : all_pairs()) {
    const auto [code, message] = objection(pair);
    if (message.empty()) continue;
    EXPECT_EQ(code, Errc::kUsage) << message;
    EXPECT_NE(message.find(pair.solver->name), std::string::npos) << message;
  }
  const auto fits = [](const std::string& solver, const OperatorEntry* op) {
    return std::any_of(fitting_pairs().begin(), fitting_pairs().end(),
                       [&](const Pair& pair) { return pair.solver->name == solver && pair.op == op; });
  };
  for (const OperatorEntry* op : operator_entries()) {
    const auto made = make_operator(operator_config(op->name), kImage);
    for (const char* solver : {"red_diff", "dps", "pgdm", "ddim", "noise_optimisation"})
      EXPECT_TRUE(fits(solver, op)) << solver << " and " << op->name;
    EXPECT_EQ(fits("diffpir", op), made->is_linear()) << op->name;
    EXPECT_EQ(fits("ddnm", op), made->is_linear() && made->has_pseudo_inverse()) << op->name;
    EXPECT_EQ(fits("ddrm", op), made->spectral() != nullptr) << op->name;
  }
}

class EverySolverOnEveryOperator : public testing::TestWithParam<Pair> {};

TEST_P(EverySolverOnEveryOperator, ReturnsAFiniteImageAndLeavesTheMeasurement) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    Trial trial(GetParam());
    const at::Tensor x = trial.images(type), y = trial.op->apply(x), before = y.clone();
    const CountedDenoiser counted(trial.oracle);
    const at::Tensor found = trial.run(y, counted, trial.noise);
    EXPECT_EQ(found.sizes(), x.sizes());
    EXPECT_EQ(found.scalar_type(), type);
    EXPECT_TRUE(at::isfinite(found).all().item<bool>());
    EXPECT_TRUE(at::equal(y, before));
    EXPECT_EQ(counted.calls, trial.solver->network_calls());
    EXPECT_TRUE(at::equal(found, trial.run(y, trial.oracle, trial.noise)));
    EXPECT_FALSE(found.requires_grad());
  }
}

TEST_P(EverySolverOnEveryOperator, ItemsDoNotDependOnTheirBatch) {
  Trial trial(GetParam());
  const at::Tensor y = trial.op->apply(trial.images());
  const auto rows = [&](const std::vector<std::int64_t>& order) {
    std::vector<std::string> items;
    std::vector<at::Tensor> chosen;
    for (const std::int64_t i : order) {
      items.push_back("item " + std::to_string(i));
      chosen.push_back(y[i]);
    }
    diffusion::BatchNoise each(trial.noise, items);
    return trial.run(at::stack(chosen), trial.oracle, each);
  };
  const auto near = [](const at::Tensor& a, const at::Tensor& b) { return at::allclose(a, b, 1e-8, 1e-8); };
  const at::Tensor all = rows({0, 1, 2}), turned = rows({2, 0});
  for (const std::int64_t i : {0, 1, 2}) EXPECT_TRUE(near(all[i], rows({i})[0])) << i;
  EXPECT_TRUE(near(turned[0], all[2]));
  EXPECT_TRUE(near(turned[1], all[0]));
}

TEST_P(EverySolverOnEveryOperator, StopsWhenAsked) {
  Trial trial(GetParam());
  const at::Tensor y = trial.op->apply(trial.images());
  const auto [code, message] =
      error_of([&] { trial.run(y, trial.oracle, trial.noise, [](const Progress&) { return false; }); });
  EXPECT_EQ(code, Errc::kInterrupted);
  EXPECT_EQ(message, "item: stopped after step 1");
}

INSTANTIATE_TEST_SUITE_P(Registry, EverySolverOnEveryOperator, testing::ValuesIn(fitting_pairs()),
                         [](const auto& pair) { return pair.param.solver->name + "_on_" + pair.param.op->name; });

class EverySolver : public testing::TestWithParam<const SolverEntry*> {};

TEST_P(EverySolver, ConfigIsCompleteAndChecked) {
  const ConfigNode complete = GetParam()->complete(ConfigNode::map(), "solver");
  EXPECT_EQ(GetParam()->complete(complete, "solver").to_json(), complete.to_json());
  EXPECT_FALSE(GetParam()->about.empty());
  for (const ConfigField& field : GetParam()->fields()) {
    EXPECT_FALSE(field.help.empty()) << field.key;
    const auto [code, message] = error_of([&] { make_solver(component(GetParam()->name, {{field.key + "x", "1"}})); });
    EXPECT_EQ(code, Errc::kUsage) << field.key;
    EXPECT_NE(message.find(field.key + "x"), std::string::npos) << message;
    EXPECT_EQ(error_of([&] {
                make_solver(component(GetParam()->name, {{field.key, "[[1], x]"}}));
              }).first,
              Errc::kUsage)
        << field.key;
  }
}

TEST_P(EverySolver, SaysWhatARunCosts) { EXPECT_GT(make_solver(component(GetParam()->name))->network_calls(), 0); }

INSTANTIATE_TEST_SUITE_P(Registry, EverySolver, testing::ValuesIn(solver_entries()),
                         [](const auto& entry) { return entry.param->name; });

}  // namespace
}  // namespace reseda::inverse
