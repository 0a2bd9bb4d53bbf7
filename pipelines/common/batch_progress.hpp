#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>

#include "modules/core/progress.hpp"
#include "pipelines/common/batch_runner.hpp"

namespace reseda::app {

/// How a finished item went.
struct ItemOutcome {
  std::string id;
  enum class Status { kDone, kSkipped, kFailed } status = Status::kDone;
  double seconds = 0;
};

/// Shows a batch's progress on stderr: a bar on a terminal, one line per item otherwise, JSON lines, or nothing. Safe
/// from any thread.
class BatchProgress {
 public:
  /// @param style  kAuto: the bar on a terminal, else plain
  BatchProgress(ProgressStyle style, std::size_t total);
  ~BatchProgress();

  void start(const std::string& id);
  void step(const Progress& progress);  ///< of the started item; shown ten times a second at most
  void finish(const ItemOutcome& outcome);

 private:
  using Clock = std::chrono::steady_clock;
  void draw();
  double seconds_left() const;
  ProgressStyle style_;
  std::size_t total_, finished_ = 0, worked_ = 0;
  std::mutex mutex_;
  std::string current_;
  Progress progress_;
  Clock::time_point begin_ = Clock::now(), drawn_ = {};
};

/// "40 ms", "1.4 s", "75 s", "12 min", "3 h 20 min".
std::string duration_text(double seconds);

}  // namespace reseda::app
