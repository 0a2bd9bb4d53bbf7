#include "modules/nn/fir.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"

namespace reseda::nn {
namespace {

/// outer([1,3,3,1], [1,3,3,1]) * gain for each channel on its own, [C,1,4,4].
at::Tensor kernel(const at::Tensor& x, double gain) {
  const at::Tensor taps = at::tensor({1.0F, 3.0F, 3.0F, 1.0F}).to(x.options());
  return (at::outer(taps, taps) * gain).expand({x.size(1), 1, 4, 4}).contiguous();
}

}  // namespace

at::Tensor fir_up2(const at::Tensor& x) {
  return at::conv_transpose2d(x, kernel(x, 1.0 / 16), {}, /*stride=*/2, /*padding=*/1, /*output_padding=*/0,
                              /*groups=*/x.size(1));
}

at::Tensor fir_down2(const at::Tensor& x) {
  RESEDA_REQUIRE(x.size(2) >= 2 && x.size(3) >= 2, Errc::kInput, "a map of ", x.size(2), " x ", x.size(3),
                 " cannot be halved");
  return at::conv2d(x, kernel(x, 1.0 / 64), {}, /*stride=*/2, /*padding=*/1, /*dilation=*/1, /*groups=*/x.size(1));
}

}  // namespace reseda::nn
