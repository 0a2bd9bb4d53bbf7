#pragma once

#include <vector>

namespace reseda::restoration {

/// Mean of a sample, and half the width of its 95 % confidence interval:  1.96 s / sqrt(n), normal approximation;
/// 0 of a single value.
struct MeanInterval {
  double mean = 0, half_width = 0;
};
MeanInterval mean_interval(const std::vector<double>& values);

}  // namespace reseda::restoration
