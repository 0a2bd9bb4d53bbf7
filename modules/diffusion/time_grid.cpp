#include "modules/diffusion/time_grid.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::diffusion {
namespace {

constexpr double kRatioTolerance = 1e-14;

double mean_of(const Coef& coef) { return coef.is_scalar() ? coef.scalar() : coef.value.mean().item<double>(); }

/// The ratio at a share u of the way, even after the map r -> ln r or r^(1/rho).
double ratio_at(const TimeGridConfig& config, double first, double last, double u) {
  if (config.grid == "log_snr") return first * std::pow(last / first, u);
  const double low = std::pow(last, 1.0 / config.rho), high = std::pow(first, 1.0 / config.rho);
  return std::pow(high + u * (low - high), config.rho);
}

/// The listed times, checked against the ends of the process.
std::vector<double> listed(const TimeGridConfig& config, double start, double end) {
  RESEDA_REQUIRE(config.times.front() == start, Errc::kUsage, "sampler.times must begin with ", start,
                 ", where the process starts, got ", config.times.front());
  const double last = config.times.back();
  RESEDA_REQUIRE(last > end || (last == end && config.ends_on_estimate()), Errc::kUsage,
                 "sampler.times must stay above ", end, ", where the process ends, got ", last);
  return config.times;
}

std::vector<double> spaced(const TimeGridConfig& config, const Process& process, double start, double end) {
  const bool by_ratio = config.grid == "log_snr" || config.grid == "karras";
  double first = 0, last = 0;
  if (by_ratio) {
    first = std::min(noise_to_signal(process, start), config.ratio_max);
    last = std::max(noise_to_signal(process, end), config.ratio_min);
    RESEDA_REQUIRE(first > last, Errc::kUsage, "sampler.grid ", config.grid, " needs c / a to fall from the process's ",
                   "start to its end, got ", first, " and ", last, " within ratio_min and ratio_max");
  }
  RESEDA_REQUIRE(config.grid != "quadratic" || end >= 0, Errc::kUsage,
                 "sampler.grid quadratic needs a process whose times are >= 0, this one ends at ", end);
  const auto n = static_cast<double>(config.steps), parts = config.final_state == "denoise" ? n - 1 : n;
  std::vector<double> times = {start};
  for (std::int64_t step = 1; step < config.steps; ++step) {
    const auto i = static_cast<double>(step);
    if (by_ratio)
      times.push_back(time_of_noise_to_signal(process, ratio_at(config, first, last, i / parts)));
    else if (config.grid == "quadratic")
      times.push_back(std::pow(std::sqrt(start) + (std::sqrt(end) - std::sqrt(start)) * i / parts, 2.0));
    else
      times.push_back(start + ((config.grid == "trailing" ? 0.0 : end) - start) * i / parts);
  }
  // What comes out of roots and powers misses the end by rounding.
  if (config.final_state == "denoise" && config.steps > 1 && !(by_ratio && last > noise_to_signal(process, end)))
    times.back() = end;
  return times;
}

/// Moves times that fell on one place of the process's table to neighbouring places, each to the nearest free one
/// below, or above where there is none left. What does not fit stays as it is.
void spread(std::vector<double>& times, const Process& process, bool end_is_taken) {
  const auto size = static_cast<double>(process.steps());
  const auto place = [&](double t) { return static_cast<std::int64_t>(std::llround(t * size)); };
  std::vector<std::int64_t> places;
  for (const double t : times) places.push_back(place(t));
  std::int64_t lowest = place(process.t_end()) + (end_is_taken ? 1 : 0);
  for (std::size_t i = 1; i < places.size(); ++i) places[i] = std::min(places[i], places[i - 1] - 1);
  for (std::size_t i = places.size(); i-- > 0; ++lowest) lowest = places[i] = std::max(places[i], lowest);
  if (places.front() != place(times.front())) return;
  for (std::size_t i = 1; i < places.size(); ++i)
    if (places[i] != place(times[i])) times[i] = process.nearest_time(static_cast<double>(places[i]) / size);
}

}  // namespace

void TimeGridConfig::validate() const {
  RESEDA_REQUIRE(steps >= 1 && steps <= 100000, Errc::kUsage, "sampler.steps must be in 1 to 100000, got ", steps);
  for (std::size_t i = 0; i < times.size(); ++i)
    RESEDA_REQUIRE(std::isfinite(times[i]) && (i == 0 || times[i] < times[i - 1]), Errc::kUsage,
                   "sampler.times must fall, got ", times[i], " as number ", i + 1);
  require_choice("sampler.grid", grid, {"uniform", "trailing", "quadratic", "log_snr", "karras"});
  require_choice("sampler.final_state", final_state, {"x0", "t_end", "denoise"});
  RESEDA_REQUIRE(rho >= 1 && rho <= 100, Errc::kUsage, "sampler.rho must be in [1, 100], got ", rho);
  RESEDA_REQUIRE(ratio_min > 0 && ratio_min < ratio_max && std::isfinite(ratio_max), Errc::kUsage,
                 "sampler.ratio_min must be > 0 and < ratio_max, got ", ratio_min, " and ", ratio_max);
}

std::vector<double> time_grid(const TimeGridConfig& config, const Process& process) {
  const double start = process.t_start(), end = process.t_end();
  std::vector<double> times = config.times.empty() ? spaced(config, process, start, end) : listed(config, start, end);
  for (double& t : times) t = t == start || t == end ? t : process.nearest_time(t);
  const bool meets = std::adjacent_find(times.begin(), times.end(), std::less_equal<>()) != times.end() ||
                     (!config.ends_on_estimate() && times.back() <= end);
  if (meets && process.steps() > 0 && config.times.empty()) spread(times, process, !config.ends_on_estimate());
  if (!config.ends_on_estimate()) times.push_back(end);
  for (std::size_t i = 1; i < times.size(); ++i)
    RESEDA_REQUIRE(times[i] < times[i - 1] && times[i] >= end, Errc::kUsage, "sampler.steps must leave the times of ",
                   "grid ", config.grid, " falling and not below ", end, ", where the process ends; ", config.calls(),
                   " make number ", i + 1, " ", times[i], " after ", times[i - 1], "; take fewer or another grid");
  return times;
}

double noise_to_signal(const Process& process, double t) {
  const Marginal m = process.at(t);
  const double a = mean_of(m.a);
  return a > 0 ? mean_of(m.c) / a : std::numeric_limits<double>::infinity();
}

double time_of_noise_to_signal(const Process& process, double ratio) {
  double low = process.t_end(), high = process.t_start();
  if (noise_to_signal(process, low) >= ratio) return low;
  if (noise_to_signal(process, high) <= ratio) return high;
  // False position on ln(c / a) (Illinois), with bisection every third time and where a value is infinite.
  const auto error = [&](double t) { return std::log(noise_to_signal(process, t) / ratio); };
  double below = error(low), above = error(high);
  for (int i = 0;; ++i) {
    const double middle = low + 0.5 * (high - low);
    if (middle <= low || middle >= high) return middle;
    const double chord = low - below * (high - low) / (above - below);
    const double guess = i % 3 != 2 && chord > low && chord < high ? chord : middle;
    const double found = error(guess);
    if (std::abs(found) < kRatioTolerance) return guess;
    if (found < 0) {
      low = guess;
      below = found;
      above *= 0.5;
    } else {
      high = guess;
      above = found;
      below *= 0.5;
    }
  }
}

}  // namespace reseda::diffusion
