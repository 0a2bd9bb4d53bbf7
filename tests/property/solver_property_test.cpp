// Every solver in every order, on every grid and with every ending, on every registered process and on bridges with
// vanishing, negative and uneven coefficients.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/diffusion/oracles/gaussian.hpp"
#include "modules/diffusion/oracles/gaussian_mixture.hpp"
#include "modules/diffusion/time_grid.hpp"
#include "tests/modules/diffusion/plain_processes.hpp"
#include "tests/modules/diffusion/run_sampler.hpp"

namespace reseda::diffusion {
namespace {

using Keys = std::vector<std::pair<std::string, std::string>>;

struct Solver {
  const char* name;
  Keys keys;
};

const std::vector<Solver>& deterministic() {
  static const std::vector<Solver> list = {{"bridge_ddim", {}},
                                           {"dpm_solver_pp", {{"order", "1"}}},
                                           {"dpm_solver_pp", {{"order", "2"}}},
                                           {"dpm_solver_pp", {{"order", "2"}, {"variant", "taylor"}}},
                                           {"dpm_solver_pp", {{"order", "3"}}},
                                           {"heun", {}},
                                           {"unipc", {{"order", "1"}}},
                                           {"unipc", {{"order", "2"}}},
                                           {"unipc", {{"order", "3"}}},
                                           {"unipc", {{"order", "3"}, {"variant", "bh1"}}},
                                           {"unipc", {{"order", "2"}, {"corrector", "false"}}},
                                           {"ghvb", {{"order", "0.7"}}},
                                           {"ghvb", {{"order", "1.5"}}},
                                           {"ghvb", {{"order", "2"}}},
                                           {"ghvb", {{"order", "3.5"}}}};
  return list;
}

const std::vector<Solver>& stochastic() {
  static const std::vector<Solver> list = {{"bridge_ddim", {{"eta", "1"}}},
                                           {"dpm_solver_pp", {{"eta", "0.5"}}},
                                           {"dpm_solver_pp", {{"eta", "1"}, {"order", "3"}}},
                                           {"heun", {{"churn", "4"}}}};
  return list;
}

struct Place {
  std::string name;
  std::shared_ptr<const Process> process;
};

std::vector<Place> places() {
  std::vector<Place> all;
  for (const ProcessEntry* entry : process_entries())
    all.push_back({entry->name, make_process(component(entry->name))});
  const auto add = [&](const char* name, const PlainProcess& process) {
    all.push_back({name, std::make_shared<PlainProcess>(process)});
  };
  add("exploding", exploding());
  add("anchored", anchored());
  add("without_signal_at_the_start", residual());
  add("with_negative_signal_at_the_start", crossing());
  add("pinned_at_both_ends", pinned());
  add("uneven", uneven());
  return all;
}

constexpr const char* kGrids[] = {"uniform", "trailing", "quadratic", "log_snr", "karras"};
constexpr const char* kEndings[] = {"x0", "t_end", "denoise"};

/// Whether so many calls find times of their own on this grid.
bool fits(const Process& process, std::int64_t steps, const std::string& grid, const std::string& ending) {
  TimeGridConfig config;
  config.steps = steps;
  config.grid = grid;
  config.final_state = ending;
  return error_of([&] { time_grid(config, process); }).second.empty();
}

double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }

class EveryBridge : public testing::TestWithParam<Place> {
 protected:
  at::Tensor run(const Solver& solver, std::int64_t steps, const std::string& grid, const std::string& ending,
                 const Denoiser& denoiser, NoiseSource& noise) const {
    Keys keys = {{"steps", std::to_string(steps)}, {"grid", grid}, {"final_state", ending}};
    keys.insert(keys.end(), solver.keys.begin(), solver.keys.end());
    return run_sampler(component(solver.name, keys), y_, process(), denoiser, noise);
  }
  const Process& process() const { return *GetParam().process; }
  at::Tensor draw(const char* stream) {
    return draw_like(noise_, {"data", stream, 0}, at::empty({2, 1, 2, 2}, at::kDouble));
  }
  static std::string label(const Solver& solver, const std::string& grid, const std::string& ending) {
    std::string text = std::string(solver.name) + " " + grid + " " + ending;
    for (const auto& [key, value] : solver.keys) text += " " + key + "=" + value;
    return text;
  }
  static std::vector<Solver> all() {
    std::vector<Solver> list = deterministic();
    list.insert(list.end(), stochastic().begin(), stochastic().end());
    return list;
  }

  CounterNoise noise_{6};
  at::Tensor y_ = draw("y"), mu_ = 0.5 * draw("mu");
};

/// With x0 known the estimated noise never changes, so that every solver is exact in any number of steps.
TEST_P(EveryBridge, IsCrossedExactlyWhereX0IsKnown) {
  const GaussianOracle known(mu_, 0.0, process());
  const Marginal start = process().at(process().t_start()), end = process().at(process().t_end());
  const at::Tensor x = process().prior(y_, noise_, "item");
  const at::Tensor eps = estimates_from(Target::kX0, mu_, x, y_, start, {}).eps;
  const at::Tensor state = end.sample(mu_, y_, eps);
  for (const Solver& solver : deterministic())
    for (const char* grid : kGrids)
      for (const char* ending : kEndings) {
        const at::Tensor found = run(solver, 4, grid, ending, known, noise_);
        const at::Tensor expected = std::string(ending) == "t_end" ? state : mu_;
        EXPECT_LT(largest(found - expected), 1e-8) << label(solver, grid, ending);
      }
}

/// On Gaussian data e / sqrt(a^2 d^2 + c^2) is constant along the flow, e = x - b y - a mu.
TEST_P(EveryBridge, IsFollowedOnGaussianData) {
  const double deviation = 0.5;
  const GaussianOracle oracle(mu_, deviation, process());
  const auto scale = [&](const Marginal& m) {
    return (m.a.value.square() * (deviation * deviation) + m.c.value.square()).sqrt();
  };
  const Marginal start = process().at(process().t_start()), end = process().at(process().t_end());
  if (largest(scale(start)) < 1e-6) return;  // nothing leads away from a point
  const at::Tensor e = process().prior(y_, noise_, "item") - start.mean(mu_, y_);
  const at::Tensor exact = end.mean(mu_, y_) + Coef(scale(end) / scale(start)) * e;
  for (const Solver& solver : deterministic()) {
    const std::string order = solver.keys.empty() ? "" : solver.keys.front().second;
    const bool first = std::string(solver.name) == "bridge_ddim" || order == "0.7" || order == "1";
    for (const std::string grid : {"uniform", "log_snr"}) {
      // Where time is the noise scale itself, few even steps hardly meet the scales at which the noise is that of x0.
      const bool scale_is_time = GetParam().name == "exploding" || GetParam().name == "karras_ve";
      const std::int64_t steps = grid == "uniform" && scale_is_time ? 6000 : 60;
      if (!fits(process(), steps, grid, "t_end")) continue;
      // Even steps in the time of ddpm's linear schedule are long in ln(c / a) at the clean end.
      const double bound = grid == "uniform" && GetParam().name == "ddpm" ? 0.04 : 0.02;
      EXPECT_LT(largest(run(solver, steps, grid, "t_end", oracle, noise_) - exact), first ? 0.08 : bound)
          << label(solver, grid, "t_end");
    }
  }
}

/// Two far components, few calls: the estimate lies between them or not far beyond.
TEST_P(EveryBridge, IsNeverLeftByAMixture) {
  const GaussianMixtureOracle oracle({{0.5, mu_[0] + 1.0, 0.1}, {0.5, mu_[0] - 1.0, 0.1}}, process());
  for (const Solver& solver : all())
    for (const char* grid : kGrids) {
      if (!fits(process(), 8, grid, "x0")) continue;
      const at::Tensor found = run(solver, 8, grid, "x0", oracle, noise_) - mu_[0];
      EXPECT_LT(largest(found), 2.5) << label(solver, grid, "x0");
    }
}

TEST_P(EveryBridge, IsCrossedInAsManyCallsAsPromisedAndWithTheNamedDraws) {
  struct Counted final : Denoiser {
    explicit Counted(const Denoiser& denoiser) : inner(denoiser) {}
    Estimates operator()(const at::Tensor& x, double t, const Condition& condition) const override {
      ++calls;
      return inner(x, t, condition);
    }
    const Denoiser& inner;
    mutable std::int64_t calls = 0;
  };
  const GaussianOracle oracle(mu_, 0.3, process());
  for (const Solver& solver : all())
    for (const char* ending : kEndings) {
      const Counted counted(oracle);
      ListedNoise noise;
      run(solver, 3, "uniform", ending, counted, noise);
      EXPECT_EQ(counted.calls, std::string(solver.name) == "heun" ? 5 : 3) << label(solver, "uniform", ending);
      std::vector<std::string> expected;
      ListedNoise prior;
      process().prior(y_, prior, "item");
      expected = prior.draws;
      const bool random = !solver.keys.empty() && (solver.keys[0].first == "eta" || solver.keys[0].first == "churn");
      const int steps = std::string(ending) == "t_end" ? 3 : 2;
      for (int i = 0; random && i < steps; ++i)
        expected.push_back((std::string(solver.name) == "heun" ? "churn " : "predictor ") + std::to_string(i));
      EXPECT_EQ(noise.draws, expected) << label(solver, "uniform", ending);
    }
}

INSTANTIATE_TEST_SUITE_P(Bridges, EveryBridge, testing::ValuesIn(places()),
                         [](const auto& place) { return place.param.name; });

}  // namespace
}  // namespace reseda::diffusion
