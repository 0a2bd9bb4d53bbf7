#pragma once

#include <string>
#include <vector>

namespace reseda::speech {

/// Which way a score improves.
enum class Better { kHigher, kLower };

/// Histogram of values as an SVG element, with a line at zero where the values straddle it and one at their mean. NaN
/// and infinite values are left out. Bars on the better side of zero are drawn in the good colour if `better_side` is
/// set.
struct HistogramConfig {
  std::string title;  ///< plain text
  std::string unit;   ///< below the axis, e.g. "change, dB"
  Better better = Better::kHigher;
  bool better_side = true;
};
std::string histogram_svg(const std::vector<double>& values, const HistogramConfig& config);

/// One dot per file: noisy score along x, enhanced score along y, and the diagonal of no change, as an SVG element. A
/// dot shows its file on hovering. Pairs that are not finite are left out.
struct ScatterConfig {
  std::string title;
  std::string unit;  ///< e.g. "dB"; may be empty
  Better better = Better::kHigher;
};
std::string scatter_svg(const std::vector<double>& noisy, const std::vector<double>& enhanced,
                        const std::vector<std::string>& files, const ScatterConfig& config);

}  // namespace reseda::speech
