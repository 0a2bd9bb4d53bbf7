// The one source that is compiled with OpenMP (CMakeLists.txt), the runtime being LibTorch's own; without it all loops
// run on one thread.
#include "modules/core/parallel.hpp"

#include <ATen/Parallel.h>
#include <ATen/ThreadLocalState.h>

#include <algorithm>
#include <atomic>

namespace reseda {
namespace {

/// LibTorch's loops on this thread use no other, until the parallel part ends.
void stay_alone() {
#ifdef _OPENMP
  // A new thread is set to all of them once by LibTorch's library and once by its headers, so both come first.
  at::get_num_threads();
  at::internal::lazy_init_num_threads();
  omp_set_num_threads(1);
#endif
}

}  // namespace

void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain,
                  c10::function_ref<void(std::int64_t, std::int64_t)> f) {
  at::parallel_for(begin, end, grain, f);
}

void parallel_items(std::int64_t count, std::int64_t at_once, c10::function_ref<void(std::int64_t)> f) {
  std::atomic<std::int64_t> next = 0;
  const auto work = [&] {
    try {
      for (std::int64_t i = next++; i < count; i = next++) f(i);
    } catch (...) {
      next = count;
      throw;
    }
  };
  const std::int64_t threads = at::get_num_threads();
  if (threads == 1 || at::in_parallel_region()) return work();
  const std::int64_t workers = std::clamp<std::int64_t>(at_once, 1, threads);
  const at::ThreadLocalState modes;
  // Two parts at least: of one, LibTorch makes no parallel part, and the loops inside would spread.
  at::parallel_for(0, std::max<std::int64_t>(workers, 2), 1, [&](std::int64_t first, std::int64_t) {
    if (first >= workers) return;
    const at::ThreadLocalStateGuard guard(modes);
    stay_alone();
    work();
  });
}

void on_one_thread(c10::function_ref<void()> f) {
  parallel_items(1, 1, [&](std::int64_t) { f(); });
}

}  // namespace reseda
