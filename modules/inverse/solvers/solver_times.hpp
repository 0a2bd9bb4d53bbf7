#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "modules/diffusion/process.hpp"

namespace reseda::inverse {

/// The times at which a solver calls the network.
struct SolverTimesConfig {
  std::int64_t steps = 50;
  std::string grid = "even";
  std::int64_t start_step = 0;
  std::int64_t end_step = 0;
  template <class V>
  void fields(V& v) {
    v("steps", steps, "network calls (grid strided: the step is the span divided by this, rounded down)");
    v("grid", grid,
      "even, strided (official RED-diff; more calls than asked where steps does not divide the span), or a spacing of "
      "the samplers: uniform, trailing, quadratic, log_snr, karras");
    v("start_step", start_step, "even, strided: first step of the process's table that is not used; 0 all");
    v("end_step", end_step, "even, strided: last step of the process's table that is used");
  }
  /// @throws Error{kUsage}
  void validate() const;
  /// Number of times; -1 where it depends on the process.
  std::int64_t calls() const;
};

/// A time of a process with b = 0: x = a x0 + c eps.
struct SolverTime {
  double t = 0, a = 1, c = 0;
  double ratio() const { return c / a; }  ///< noise to signal
};

/// The times from the noisiest to the cleanest. With start S (exclusive) and end E of a table of T steps:
///   even     indices E + floor(k (S - E) / N), k = N-1 .. 0        strided  E + k d < S, d = (S - E) div N
/// Index i is the time (i + 1) / T. A process of continuous time has `uniform` for even, and no strided.
/// @throws Error{kUsage} where the grid does not fit the process, or the process has b != 0, a <= 0 or a map as
///         coefficient at one of the times
/// Source: strided: Mardani et al. 2024; official: NVlabs/RED-diff, utils/functions.py (get_timesteps).
std::vector<SolverTime> solver_times(const SolverTimesConfig& config, const diffusion::Process& process);

/// The indices of grid even or strided in a table of `all` steps, falling. @throws Error{kUsage}
std::vector<std::int64_t> table_steps(const SolverTimesConfig& config, std::int64_t all);

/// Where every walk ends: x = x0.
inline constexpr SolverTime kClean = {0.0, 1.0, 0.0};

/// Weights of DDIM's jump x' = a' x0 + eps_weight eps + noise_weight z from one time to a cleaner one, see
/// diffusion::ddim_step: noise_weight = eta c' sqrt(1 - (a c' / (a' c))^2), eps_weight^2 + noise_weight^2 = c'^2.
struct JumpWeights {
  double eps = 0, noise = 0;
};
JumpWeights jump_weights(const SolverTime& from, const SolverTime& to, double eta);

}  // namespace reseda::inverse
