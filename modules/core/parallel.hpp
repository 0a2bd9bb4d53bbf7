#pragma once

#include <c10/util/FunctionRef.h>

#include <cstdint>

namespace reseda {

/// Computes [begin, end) in parts that follow each other, each on a thread of LibTorch's pool (set_threads): parts of
/// at least `grain`, at most one a thread, f(first, last) once for each. Inside another such loop there is one part.
/// Here and not by at::parallel_for, which is a loop on one thread in all that is compiled without OpenMP, as the rest
/// of the suite is.
/// @throws what f throws first, once all parts have ended
void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain,
                  c10::function_ref<void(std::int64_t, std::int64_t)> f);

/// Computes f(0) to f(count - 1), begun in this order, up to `at_once` at the same time and each on one thread alone:
/// LibTorch's own loops inside run as with --threads 1, so that values do not depend on the number of threads. f sees
/// the caller's modes (gradients and others).
/// @throws what f throws first; nothing more begins then
void parallel_items(std::int64_t count, std::int64_t at_once, c10::function_ref<void(std::int64_t)> f);

/// Computes f as parallel_items does one item: sums that would differ with the number of threads do not.
void on_one_thread(c10::function_ref<void()> f);

}  // namespace reseda
