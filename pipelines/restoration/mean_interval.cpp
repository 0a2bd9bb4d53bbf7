#include "pipelines/restoration/mean_interval.hpp"

#include <cmath>

namespace reseda::restoration {

MeanInterval mean_interval(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  double mean = 0, square = 0;
  for (const double value : values) mean += value / n;
  for (const double value : values) square += (value - mean) * (value - mean);
  return {mean, n > 1 ? 1.96 * std::sqrt(square / (n - 1) / n) : 0.0};
}

}  // namespace reseda::restoration
