#include "modules/inverse/solvers/solver_times.hpp"

#include <ATen/ATen.h>

#include "modules/diffusion/samplers/choice.hpp"
#include "modules/diffusion/samplers/ddim_step.hpp"
#include "modules/diffusion/time_grid.hpp"

namespace reseda::inverse {
namespace {

bool counts_steps(const std::string& grid) { return grid == "even" || grid == "strided"; }

std::vector<double> times_of(const SolverTimesConfig& config, const diffusion::Process& process) {
  const std::int64_t all = process.steps();
  if (all > 0 && counts_steps(config.grid)) {
    std::vector<double> times;
    for (const std::int64_t i : table_steps(config, all))
      times.push_back(static_cast<double>(i + 1) / static_cast<double>(all));
    return times;
  }
  RESEDA_REQUIRE(config.start_step == 0 && config.end_step == 0, Errc::kUsage,
                 "solver.start_step and end_step need grid even or strided and a process with a table of steps");
  RESEDA_REQUIRE(config.grid != "strided", Errc::kUsage,
                 "solver.grid strided needs a process with a table of steps; use even");
  return diffusion::time_grid({.steps = config.steps, .grid = config.grid == "even" ? "uniform" : config.grid},
                              process);
}

}  // namespace

std::vector<std::int64_t> table_steps(const SolverTimesConfig& config, std::int64_t all) {
  const std::int64_t start = config.start_step == 0 ? all : config.start_step, span = start - config.end_step;
  RESEDA_REQUIRE(start <= all && span >= 1, Errc::kUsage,
                 "solver.start_step must be in solver.end_step + 1 = ", config.end_step + 1, " to ", all, ", got ",
                 start);
  RESEDA_REQUIRE(config.steps <= span, Errc::kUsage, "solver.steps must be at most start_step - end_step = ", span,
                 ", got ", config.steps);
  std::vector<std::int64_t> indices;
  if (config.grid == "even") {
    for (std::int64_t k = 0; k < config.steps; ++k) indices.push_back(config.end_step + k * span / config.steps);
  } else {
    for (std::int64_t i = config.end_step; i < start; i += span / config.steps) indices.push_back(i);
  }
  return {indices.rbegin(), indices.rend()};
}

void SolverTimesConfig::validate() const {
  RESEDA_REQUIRE(steps >= 1 && steps <= 100000, Errc::kUsage, "solver.steps must be in 1 to 100000, got ", steps);
  diffusion::require_choice("solver.grid", grid,
                            {"even", "strided", "uniform", "trailing", "quadratic", "log_snr", "karras"});
  RESEDA_REQUIRE(start_step >= 0, Errc::kUsage, "solver.start_step must be >= 0, got ", start_step);
  RESEDA_REQUIRE(end_step >= 0, Errc::kUsage, "solver.end_step must be >= 0, got ", end_step);
}

std::int64_t SolverTimesConfig::calls() const {
  if (grid != "strided") return steps;
  const std::int64_t span = start_step - end_step;
  if (start_step == 0 || span < steps) return -1;
  const std::int64_t stride = span / steps;
  return (span + stride - 1) / stride;
}

std::vector<SolverTime> solver_times(const SolverTimesConfig& config, const diffusion::Process& process) {
  std::vector<SolverTime> times;
  for (const double t : times_of(config, process)) {
    const diffusion::Marginal m = process.at(t);
    const bool plain = m.a.is_scalar() && m.b.is_scalar() && m.c.is_scalar() && m.b.scalar() == 0.0;
    RESEDA_REQUIRE(plain, Errc::kUsage,
                   "a solver needs a process x = a x0 + c eps with scalar coefficients; this one adds the measurement "
                   "or has maps");
    RESEDA_REQUIRE(m.a.scalar() > 0 && m.c.scalar() > 0, Errc::kUsage,
                   "a solver needs signal and noise at every time; at t = ", t, " the process has a = ", m.a.scalar(),
                   ", c = ", m.c.scalar());
    times.push_back({t, m.a.scalar(), m.c.scalar()});
  }
  return times;
}

JumpWeights jump_weights(const SolverTime& from, const SolverTime& to, double eta) {
  const diffusion::DdimStep step = diffusion::ddim_step({from.a, 0.0, from.c}, {to.a, 0.0, to.c}, eta);
  return {step.eps.scalar(), step.noise.scalar()};
}

}  // namespace reseda::inverse
