#pragma once

#include <vector>

namespace reseda::diffusion {

/// A smooth curve through values at 0, 1, 2, ...: cubic between neighbours, with a continuous slope, and monotone where
/// the values are. Parabolas are met exactly but for very uneven slopes. What a table of discrete steps is between
/// them.
/// Source: Steffen 1990, "A simple method for monotonic interpolation in one dimension", Eqs. (2) to (11).
class MonotoneCurve {
 public:
  /// @param values  at least two
  explicit MonotoneCurve(std::vector<double> values);
  /// The value at a position in [0, size - 1]; at a whole number (within 1e-9) the given value itself.
  double at(double position) const;
  /// The derivative there.
  double slope(double position) const;

 private:
  std::vector<double> values_, slopes_;
};

}  // namespace reseda::diffusion
