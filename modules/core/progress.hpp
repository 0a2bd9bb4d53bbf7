#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace reseda {

/// One report of a running piece of work.
struct Progress {
  std::int64_t done = 0, total = 0;  ///< steps, items or network calls
  std::string note;                  ///< short text beside the bar, e.g. "loss 0.123"
};

/// Receives progress; returns false to ask the work to stop at the next safe point.
using ProgressSink = std::function<bool(const Progress&)>;

}  // namespace reseda
