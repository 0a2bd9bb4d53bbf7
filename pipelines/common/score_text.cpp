#include "pipelines/common/score_text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "io/record/json_lines.hpp"
#include "modules/core/error.hpp"

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
  if (interval.count == 1) return fixed_text(interval.mean, decimals);
  return fixed_text(interval.mean, decimals) + " [" + fixed_text(interval.low, decimals) + ", " +
         fixed_text(interval.high, decimals) + "]";
}

std::string interval_json(const metrics::MeanInterval& interval) {
  return io::JsonObject()
      .add("mean", interval.mean)
      .add("low", interval.low)
      .add("high", interval.high)
      .add("count", interval.count)
      .add("left_out", interval.left_out)
      .line();
}

const char* better_name(Better better) {
  switch (better) {
    case Better::kHigher:
      return "higher";
    case Better::kLower:
      return "lower";
    case Better::kNearZero:
      return "near 0";
    case Better::kNearOne:
      return "near 1";
    case Better::kNeither:
      return "";
  }
  RESEDA_INVARIANT(false);
}

}  // namespace reseda::app
