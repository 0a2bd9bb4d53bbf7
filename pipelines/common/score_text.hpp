#pragma once

#include <string>

#include "modules/metrics/summary.hpp"

namespace reseda::app {

/// A number with a fixed count of decimals; "n/a" for NaN, "inf" and "-inf" for infinities, never "-0.00".
std::string fixed_text(double value, int decimals);

/// {"mean": .., "low": .., "high": .., "count": .., "left_out": ..}; undefined numbers are null.
std::string interval_json(const metrics::MeanInterval& interval);

/// Which way a score improves.
enum class Better { kHigher, kLower, kNearZero, kNearOne, kNeither };

/// "higher", "lower", "near 0", "near 1", "".
const char* better_name(Better better);

/// "mean [low, high]".
std::string interval_text(const metrics::MeanInterval& interval, int decimals);

}  // namespace reseda::app
