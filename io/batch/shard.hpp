#pragma once

#include <cstddef>
#include <string>

namespace reseda::io {

/// Part `index` (1-based) of `count` of a run: the items whose position in the sorted list is index - 1 modulo count.
struct Shard {
  std::size_t index = 1, count = 1;
  bool holds(std::size_t position) const { return position % count == index - 1; }
};

/// Reads "i/n", "" (the whole), or "auto": SLURM_ARRAY_TASK_ID, _MIN, _STEP and _COUNT.
/// @throws Error{kUsage}
Shard parse_shard(const std::string& text);

}  // namespace reseda::io
