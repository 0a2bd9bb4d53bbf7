#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace reseda::stats {

/// Gaussian noise for images of 8-bit levels, exact in law and free of rounding: with u = 255 x integers and Q(z) the
/// level nearest to 255 z,
///   Q(x + sigma eps) = u + J,   P[J = j] = Phi((j + 1/2) / (255 sigma)) - Phi((j - 1/2) / (255 sigma)).
/// Guarantee: the certificate of f o clip o Q under u + J is that of the ideal Gaussian in real numbers, for all real
/// perturbations. x + sigma eps in float32 has no such guarantee: it lies on a grid that depends on x, and a classifier
/// may know x by its last bits.
/// Each value is made from a word of 64 random bits by comparing it with thresholds 2^64 P[J <= j], rounded down: the
/// same integers on every machine. What the rounding costs is truncation_loss(), to be taken off p.
/// Source: Voracek & Hein 2023, "Sound Randomized Smoothing in Floating-Point Arithmetic".
class DiscreteGaussian {
 public:
  /// @param sigma  standard deviation in units of [0, 1], 0.001 to 16   @throws Error{kUsage}
  explicit DiscreteGaussian(double sigma);

  /// @param words  int64, any shape, uniform random bits   @return int32 levels of the same shape
  at::Tensor levels(const at::Tensor& words) const;
  /// The noisy image f is shown, clip(u + J) / 255 with clip to [-255 K, 255 (K + 1)], K = max(1, floor(6 sigma)).
  /// @param image  [...] integer levels 0 .. 255   @param words  int64 [n,...]   @return float32, shape of words
  at::Tensor smoothed(const at::Tensor& image, const at::Tensor& words) const;

  /// P[J = j] as it is sampled.
  double probability(std::int64_t j) const;
  /// The total variation between the sampled and the ideal noise of so many coordinates, at most.
  double truncation_loss(std::int64_t coordinates) const;

 private:
  std::int32_t level(std::uint64_t word) const;

  double sigma_;
  std::int32_t lowest_ = 0;                // J where the word is below every threshold
  std::vector<std::uint64_t> thresholds_;  // rising: thresholds_[i] = 2^64 P[J <= lowest_ + i]
  std::vector<std::int32_t> guide_;        // how many thresholds are at most the word's leading bits
};

}  // namespace reseda::stats
