#include "pipelines/common/score_text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace reseda::app {

std::string fixed_text(double value, int decimals) {
  if (std::isnan(value)) return "n/a";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char text[512];
  const int length = std::snprintf(text, sizeof text, "%.*f", decimals, value);
  const std::string out(text, static_cast<std::size_t>(std::clamp(length, 0, 511)));
  return out.starts_with('-') && out.find_first_not_of("-0.") == std::string::npos ? out.substr(1) : out;
}

std::string interval_text(const metrics::MeanInterval& interval, int decimals) {
  return fixed_text(interval.mean, decimals) + " [" + fixed_text(interval.low, decimals) + ", " +
         fixed_text(interval.high, decimals) + "]";
}

}  // namespace reseda::app
