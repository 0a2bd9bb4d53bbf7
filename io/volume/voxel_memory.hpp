#pragma once

#include <ATen/ATen.h>
#include <sys/mman.h>

#include <cstdint>

namespace reseda::io::detail {

/// An uninitialised CPU tensor in large pages where the system grants them: of a volume of 300 MB the first touch of
/// each small page takes longer than filling it. Takes no more memory than a tensor otherwise does.
inline at::Tensor voxel_memory(at::IntArrayRef sizes, at::ScalarType type) {
  constexpr std::uintptr_t kLargePage = std::uintptr_t{2} << 20;
  at::Tensor voxels = at::empty(sizes, type);
  const auto begin = reinterpret_cast<std::uintptr_t>(voxels.mutable_data_ptr());
  const std::uintptr_t first = (begin + kLargePage - 1) / kLargePage * kLargePage;
  const std::uintptr_t last = (begin + voxels.nbytes()) / kLargePage * kLargePage;
  // Advice: where it is not taken, pages are small.
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
  return voxels;
}

}  // namespace reseda::io::detail
