#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

namespace reseda::inverse {

/// Filters of images that wrap around at their edges, y = F^-1 (T .* F x) with F the two-dimensional DFT: by FFTW for
/// float32 on the CPU where the build has it and no gradient is recorded, else by at::fft. Safe to share between
/// threads.
class CircularFilter {
 public:
  CircularFilter(std::int64_t height, std::int64_t width);
  ~CircularFilter();
  CircularFilter(CircularFilter&&) noexcept;

  /// @param x         [...,H,W] float32 or float64
  /// @param transfer  [H,W/2+1] complex128 on the CPU: the half of T that belongs to a real filter
  /// @return          shape and type of x
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& transfer) const;

 private:
  struct Plans;
  std::int64_t height_, width_;
  std::unique_ptr<Plans> plans_;
};

/// The transfer function [H,W] complex128 of a blur kernel whose centre stays in place, the kernel wrapped around where
/// it is larger than the image. @param kernel  [K,L] float64, K and L odd
at::Tensor transfer_function(const at::Tensor& kernel, std::int64_t height, std::int64_t width);

}  // namespace reseda::inverse
