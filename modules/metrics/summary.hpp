#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace reseda::metrics {

/// Mean of a sample with an interval around it. Values that are NaN or infinite are left out and counted.
struct MeanInterval {
  double mean, low, high;       ///< NaN when nothing is finite
  std::size_t count, left_out;  ///< finite values; the others
};

struct BootstrapConfig {
  std::int64_t draws = 10000;
  double level = 0.95;  ///< confidence, in (0, 1)
  std::uint64_t seed = 0;
};

/// Mean and its percentile-bootstrap interval over items: `draws` resamples of the n values with replacement; the
/// bounds are the (1 -+ level)/2 quantiles of their means, linearly interpolated between order statistics. Randomness:
/// Chooser(seed, "bootstrap", "resample", 0), draws x n choices below n. Equal samples give equal intervals.
/// @throws Error{kUsage} unless draws >= 1 and level in (0, 1)
/// Source: Efron 1979, "Bootstrap methods: another look at the jackknife"; Efron 1981 for the percentile interval.
MeanInterval bootstrap_mean(std::span<const double> values, const BootstrapConfig& config = {});

struct MeanStd {
  double mean, std;             ///< std: population, sqrt(mean((x - mean)^2)); NaN when nothing remains
  std::size_t count, left_out;  ///< values that are not NaN; NaNs
};

/// Mean and population standard deviation without NaNs (infinities stay: the mean then is infinite).
/// Official: sp-uhh/sgmse sgmse/util/other.py
MeanStd mean_std(std::span<const double> values);

/// Quantile of an ascending sample, linear between order statistics: position q (n - 1). @throws Error{kInternal} if
/// empty.
double sorted_quantile(std::span<const double> ascending, double q);

}  // namespace reseda::metrics
