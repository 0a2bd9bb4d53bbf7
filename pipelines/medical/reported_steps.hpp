#pragma once

#include <algorithm>
#include <cstdint>

#include "modules/core/error.hpp"
#include "modules/core/progress.hpp"

namespace reseda::medical {

/// Counts the steps of one reconstruction for a display.
class ReportedSteps {
 public:
  ReportedSteps(const ProgressSink& sink, std::int64_t total) : sink_(sink), total_(total) {}
  /// @throws Error{kInterrupted} where the sink asks to stop
  void next() {
    ++done_;
    if (sink_ && !sink_({done_, std::max(done_, total_), ""})) throw Error(Errc::kInterrupted, "stopped");
  }
  /// A sink for the steps of a solver, each of which is one of these.
  ProgressSink inner() {
    return [this](const Progress&) {
      next();
      return true;
    };
  }

 private:
  const ProgressSink& sink_;
  std::int64_t total_, done_ = 0;
};

}  // namespace reseda::medical
