#pragma once

#include <cstdint>
#include <random>
#include <span>

namespace reseda::inverse {

/// NumPy's legacy RandomState: the Mersenne twister MT19937 with NumPy's way of making numbers from its words. It is
/// here because sampling masks of published experiments are defined by its seeds; all other randomness of the suite
/// comes from a NoiseSource.
/// Source: Matsumoto, Nishimura 1998, "Mersenne Twister". Official: numpy/numpy, numpy/random/mtrand.pyx and
/// numpy/random/src/legacy.
class NumpyRandom {
 public:
  /// RandomState(seed)
  explicit NumpyRandom(std::uint32_t seed) : words_(seed) {}
  /// RandomState(sequence of integers), such as fastMRI makes from a file's name. @throws Error{kUsage} if it is empty
  explicit NumpyRandom(std::span<const std::uint32_t> key);

  double uniform();                        ///< [0, 1) with 53 bits
  double normal();                         ///< N(0, 1) by the polar method, two numbers for a pair of uniforms
  std::int64_t below(std::int64_t count);  ///< 0 .. count - 1, count in 1 .. 2^32, by rejection

 private:
  std::mt19937 words_;
  double kept_ = 0;
  bool has_kept_ = false;
};

}  // namespace reseda::inverse
