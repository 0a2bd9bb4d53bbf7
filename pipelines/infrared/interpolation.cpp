#include "pipelines/infrared/interpolation.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"
#include "modules/signal/resize.hpp"

namespace reseda::infrared {

at::Tensor Interpolation::run(const at::Tensor& low, const UpscaleContext& /*context*/) const {
  if (scale_ == 1) return low.clone();
  return signal::resize(low, scale_ * low.size(2), scale_ * low.size(3), kernel_);
}

std::int64_t Interpolation::working_bytes(std::int64_t height, std::int64_t width) const {
  return 16 * scale_ * scale_ * height * width;  // sums in float64, of the rows and of the whole
}

Shrunk::Shrunk(std::unique_ptr<Upscaler> inner, std::int64_t scale) : inner_(std::move(inner)), scale_(scale) {
  RESEDA_INVARIANT(scale >= 1 && scale < inner_->scale() && inner_->scale() % scale == 0);
}

at::Tensor Shrunk::run(const at::Tensor& low, const UpscaleContext& context) const {
  return signal::resize(inner_->run(low, context), scale_ * low.size(2), scale_ * low.size(3), "pillow_bicubic");
}

std::int64_t Shrunk::working_bytes(std::int64_t height, std::int64_t width) const {
  const std::int64_t large = inner_->scale() * inner_->scale() * height * width;
  return inner_->working_bytes(height, width) + 12 * large;
}

}  // namespace reseda::infrared
