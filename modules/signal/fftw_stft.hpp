#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "modules/signal/stft.hpp"

namespace reseda::signal {

/// The transforms of `stft` and `istft` by FFTW in single precision: same frame grid, padding, window, shapes and
/// normalisation, equal to about 1e-6 of the largest value. Not differentiable; for inference.
/// Plans are made once per object under one process-wide lock (FFTW's planner is not thread-safe); the transforms only
/// execute them, on buffers of their own, so that one object serves any number of threads. Deterministic.
/// Source: Frigo and Johnson 2005, "The Design and Implementation of FFTW3"; Griffin and Lim 1984 for the inverse.
class FftwStft {
 public:
  /// @throws Error{kUsage} on an invalid config
  explicit FftwStft(const StftConfig& config);
  ~FftwStft();
  FftwStft(FftwStft&&) noexcept;
  FftwStft& operator=(FftwStft&&) noexcept;

  /// X[f, m] = sum_n x[m hop + n - n_fft/2] w[n] exp(-2 pi i f n / n_fft), reflect padding of n_fft/2 at both ends.
  /// @param wave  [..., L] float32 on the CPU, L > n_fft / 2
  /// @return      [..., n_fft/2 + 1, 1 + L / hop] complex64
  /// @throws Error{kInput} if the wave is too short, Error{kInternal} on another type or device
  at::Tensor forward(const at::Tensor& wave) const;

  /// x[i] = sum_m w[j] y_m[j] / sum_m w[j]^2, j = i + n_fft/2 - m hop, y_m = irfft(X[:, m]); samples beyond the last
  /// frame are zero. Imaginary parts of the DC and Nyquist bins are ignored.
  /// @param spectrum  [..., n_fft/2 + 1, T] complex64 on the CPU, T >= 1
  /// @param length    samples of the result, >= 0
  /// @return          [..., length] float32
  /// @throws Error{kUsage} where no window covers a sample (hop near n_fft), Error{kInternal} on another type or shape
  at::Tensor inverse(const at::Tensor& spectrum, std::int64_t length) const;

  const StftConfig& config() const;

 private:
  struct Plans;
  std::unique_ptr<Plans> plans_;
};

}  // namespace reseda::signal
