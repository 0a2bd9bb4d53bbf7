#include "modules/inverse/operators/boundary.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"
#include "modules/diffusion/samplers/choice.hpp"

namespace reseda::inverse {

Boundary parse_boundary(const std::string& text) {
  diffusion::require_choice("operator.boundary", text, {"zero", "reflect", "periodic"});
  return text == "zero" ? Boundary::kZero : text == "reflect" ? Boundary::kReflect : Boundary::kPeriodic;
}

std::int64_t inside_index(std::int64_t index, std::int64_t count, Boundary boundary) {
  if (index >= 0 && index < count) return index;
  if (boundary == Boundary::kZero) return -1;
  const std::int64_t period = boundary == Boundary::kPeriodic ? count : 2 * count;
  const std::int64_t place = (index % period + period) % period;
  return place < count ? place : period - 1 - place;
}

at::Tensor convolution_matrix(const at::Tensor& taps, std::int64_t count, Boundary boundary) {
  const at::Tensor matrix = at::zeros({count, count}, at::kDouble);
  const at::Tensor weights = taps.contiguous();
  auto* entries = matrix.data_ptr<double>();
  const auto* weight = weights.const_data_ptr<double>();
  const std::int64_t size = taps.size(0), radius = size / 2;
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t t = 0; t < size; ++t) {
      const std::int64_t j = inside_index(i + radius - t, count, boundary);
      if (j >= 0) entries[i * count + j] += weight[t];
    }
  }
  return matrix;
}

}  // namespace reseda::inverse
