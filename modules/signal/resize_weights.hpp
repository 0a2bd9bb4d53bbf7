#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace reseda::signal {

/// What a kernel needs to know about one axis.
struct ResizeAxis {
  std::int64_t in = 0, out = 0;  ///< pixels, >= 1
  double step = 1.0;             ///< input pixels per output pixel, > 0
  bool both_shrink = false;      ///< whether step >= 1 on both axes
};

/// Weights of one axis: out[i] = sum over k < taps of weight[i taps + k] in[index[i taps + k]], in the order of k.
/// Rows sum to 1; indices lie in the image.
struct AxisWeights {
  std::int64_t taps = 0;
  std::vector<std::int64_t> index;
  std::vector<double> weight;
};

/// Names of the kernels of resize(), in the order of the table there.
const std::vector<std::string>& resize_kernels();

/// The weights by which a kernel makes one axis; the formulas are at resize(). @throws Error{kUsage} on an unknown
/// name, with the nearest
AxisWeights axis_weights(const std::string& kernel, const ResizeAxis& axis);

}  // namespace reseda::signal
