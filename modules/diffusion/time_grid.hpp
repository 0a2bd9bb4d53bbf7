#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "modules/diffusion/process.hpp"

namespace reseda::diffusion {

/// Where a solver calls the network on its way from t_start down to t_end, and what it returns.
struct TimeGridConfig {
  std::int64_t steps = 10;
  std::vector<double> times = {};
  std::string grid = "uniform";
  double rho = 7.0;
  double ratio_max = 200.0;
  double ratio_min = 0.002;
  std::string final_state = "x0";
  template <class V>
  void fields(V& v) {
    v("steps", steps, "network calls (heun makes two in every step but the last)");
    v("times", times, "times of the calls instead, falling, the first the start of the process");
    v("grid", grid, "spacing of the times: uniform, trailing (to 0), quadratic, log_snr (even in ln(c / a)) or karras");
    v("rho", rho, "karras: times even in (c / a)^(1 / rho)");
    v("ratio_max", ratio_max, "log_snr, karras: largest noise-to-signal ratio c / a that is spaced");
    v("ratio_min", ratio_min, "log_snr, karras: smallest noise-to-signal ratio c / a that is spaced");
    v("final_state", final_state,
      "what is returned: x0, the last estimate; t_end, the state at the process's end; denoise, the last estimate "
      "where "
      "the calls reach t_end");
  }
  /// @throws Error{kUsage}
  void validate() const;
  /// Times at which the network is called.
  std::int64_t calls() const { return times.empty() ? steps : static_cast<std::int64_t>(times.size()); }
  /// Whether the last estimate of x0 is the result; otherwise the state goes on to t_end.
  bool ends_on_estimate() const { return final_state != "t_end"; }
};

/// The times of N = calls() calls, falling from t_start, and t_end after them where final_state is t_end. With u = i /
/// N (i / (N - 1) for denoise), r = c / a, r0 = min(r(t_start), ratio_max), r1 = max(r(t_end), ratio_min):
///   uniform    t = t_start + u (t_end - t_start)             trailing   t = t_start (1 - u)
///   quadratic  sqrt(t) even between the ends                 log_snr    ln r even between r0 and r1
///   karras     r^(1/rho) even between r0 and r1
/// The first time is t_start whatever its ratio: where a <= 0 or c = 0 it has none. Times are moved to the nearest ones
/// that the process has, and apart where two meet in its table.
/// @throws Error{kUsage} when the times do not fall strictly, or a listed time lies outside
/// Source: Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models", Eq. (5); Lu et al.
/// 2022, "DPM-Solver", Sec. 3; Lin et al. 2024, "Common Diffusion Noise Schedules and Sample Steps are Flawed".
std::vector<double> time_grid(const TimeGridConfig& config, const Process& process);

/// Noise-to-signal ratio c / a at t, of the means of maps; infinite where a <= 0.
double noise_to_signal(const Process& process, double t);
/// The time in [t_end, t_start] of this ratio, found by bracketing (the ratio grows with t); an end where it lies
/// beyond.
double time_of_noise_to_signal(const Process& process, double ratio);

}  // namespace reseda::diffusion
