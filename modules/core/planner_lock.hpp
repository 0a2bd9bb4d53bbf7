#pragma once

#include <mutex>

namespace reseda {

/// Held while FFTW makes or destroys a plan: its planner is not safe to share between threads, and there is one per
/// process.
inline std::mutex& planner_lock() {
  static std::mutex lock;
  return lock;
}

}  // namespace reseda
