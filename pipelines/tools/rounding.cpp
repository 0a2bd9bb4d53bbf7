#include "pipelines/tools/rounding.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "modules/core/error.hpp"
#include "pipelines/common/signals.hpp"
#include "pipelines/tools/plain_text.hpp"
#include "pipelines/tools/tensor_facts.hpp"

namespace reseda::tools {
namespace {

constexpr std::int64_t kPiece = 1 << 20;  ///< values compared at once, so that double copies stay small

/// The largest of some magnitudes; 0 for none.
double largest_of(const at::Tensor& magnitudes) {
  return magnitudes.numel() == 0 ? 0.0 : magnitudes.max().item<double>();
}

}  // namespace

StateDict round_weights(const StateDict& weights, c10::ScalarType dtype, Rounding& rounding) {
  StateDict out;
  out.metadata = weights.metadata;
  for (const auto& [name, tensor] : weights) {
    if (!at::isFloatingType(tensor.scalar_type()) || tensor.scalar_type() == dtype) {
      out.add(name, tensor);
      continue;
    }
    const at::Tensor before = tensor.detach().contiguous().view({-1});
    const at::Tensor after = before.to(dtype);
    double largest = 0, error = 0;
    for (std::int64_t begin = 0; begin < before.numel(); begin += kPiece) {
      app::throw_if_stopped();
      const std::int64_t length = std::min(kPiece, before.numel() - begin);
      const at::Tensor exact = before.narrow(0, begin, length).to(at::kDouble);
      const at::Tensor finite = exact.isfinite();
      const at::Tensor moved = (after.narrow(0, begin, length).to(at::kDouble) - exact).masked_select(finite).abs();
      largest = std::max(largest, largest_of(exact.masked_select(finite).abs()));
      error = std::max(error, largest_of(moved));
    }
    RESEDA_REQUIRE(std::isfinite(error), Errc::kNumeric, "tensor '", plain_text(name), "' holds values up to ", largest,
                   ", beyond the range of ", dtype_name(dtype), "; keep it or use another type");
    rounding.largest = std::max(rounding.largest, error);
    if (largest > 0 && error / largest > rounding.relative) {
      rounding.relative = error / largest;
      rounding.tensor = name;
    }
    out.add(name, after.view(tensor.sizes()));
  }
  return out;
}

}  // namespace reseda::tools
