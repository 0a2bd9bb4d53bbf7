#include "modules/metrics/summary.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "modules/core/error.hpp"
#include "modules/core/noise.hpp"

namespace reseda::metrics {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double mean_of(std::span<const double> values) {
  return values.empty() ? kNan
                        : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

double sorted_quantile(std::span<const double> ascending, double q) {
  RESEDA_INVARIANT(!ascending.empty());
  const double position = q * static_cast<double>(ascending.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, ascending.size() - 1);
  return std::lerp(ascending[below], ascending[above], position - static_cast<double>(below));
}

MeanInterval bootstrap_mean(std::span<const double> values, const BootstrapConfig& config) {
  RESEDA_REQUIRE(config.draws >= 1, Errc::kUsage, "bootstrap.draws must be >= 1, got ", config.draws);
  RESEDA_REQUIRE(config.level > 0 && config.level < 1, Errc::kUsage, "bootstrap.level must be in (0, 1), got ",
                 config.level);
  std::vector<double> finite;
  std::copy_if(values.begin(), values.end(), std::back_inserter(finite), [](double v) { return std::isfinite(v); });
  MeanInterval out{mean_of(finite), kNan, kNan, finite.size(), values.size() - finite.size()};
  if (finite.empty()) return out;
  Chooser chooser(config.seed, "bootstrap", "resample", 0);
  std::vector<double> means(static_cast<std::size_t>(config.draws));
  for (double& mean : means) {
    double sum = 0.0;
    for (std::size_t i = 0; i < finite.size(); ++i)
      sum += finite[static_cast<std::size_t>(chooser.below(static_cast<std::int64_t>(finite.size())))];
    mean = sum / static_cast<double>(finite.size());
  }
  std::sort(means.begin(), means.end());
  out.low = sorted_quantile(means, (1.0 - config.level) / 2);
  out.high = sorted_quantile(means, (1.0 + config.level) / 2);
  return out;
}

MeanStd mean_std(std::span<const double> values) {
  std::vector<double> kept;
  std::copy_if(values.begin(), values.end(), std::back_inserter(kept), [](double v) { return !std::isnan(v); });
  const double mean = mean_of(kept);
  std::vector<double> squares(kept.size());
  std::transform(kept.begin(), kept.end(), squares.begin(), [mean](double v) { return (v - mean) * (v - mean); });
  return {mean, std::sqrt(mean_of(squares)), kept.size(), values.size() - kept.size()};
}

}  // namespace reseda::metrics
