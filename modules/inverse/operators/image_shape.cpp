#include "modules/inverse/operators/image_shape.hpp"

#include <ATen/ATen.h>

#include "modules/core/error.hpp"

namespace reseda::inverse {
namespace {

constexpr std::int64_t kLargestSide = 1 << 16;
constexpr std::int64_t kLargestSize = std::int64_t{1} << 31;

void require_real(const at::Tensor& x, const char* name) {
  RESEDA_REQUIRE(x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble, Errc::kUsage, "operator ", name,
                 " takes float32 or float64, got ", x.toString());
}

}  // namespace

ImageShape::ImageShape(at::IntArrayRef image) {
  bool fits = image.size() == 3;
  for (const std::int64_t side : image) fits = fits && side >= 1 && side <= kLargestSide;
  RESEDA_REQUIRE(fits, Errc::kUsage, "operator.image must be [channels, height, width], each 1 .. ", kLargestSide,
                 ", got ", image);
  RESEDA_REQUIRE(image[0] * image[1] * image[2] <= kLargestSize, Errc::kUsage, "operator.image ", image,
                 " holds more than ", kLargestSize, " values");
  channels = image[0];
  height = image[1];
  width = image[2];
}

void ImageShape::require(const at::Tensor& x, const char* name) const {
  RESEDA_REQUIRE(x.dim() == 4 && x.size(0) >= 1 && x.size(1) == channels && x.size(2) == height && x.size(3) == width,
                 Errc::kUsage, "operator ", name, " takes images [B,", channels, ",", height, ",", width,
                 "] with B >= 1, got ", x.sizes());
  require_real(x, name);
}

void require_measurement(const at::Tensor& y, at::IntArrayRef shape, const char* name) {
  RESEDA_REQUIRE(
      y.dim() == static_cast<std::int64_t>(shape.size()) + 1 && y.size(0) >= 1 && y.sizes().slice(1) == shape,
      Errc::kUsage, "operator ", name, " takes a batch of one or more measurements of shape ", shape, ", got ",
      y.sizes());
  require_real(y, name);
}

at::Tensor constant_like(const at::Tensor& constant, const at::Tensor& x) {
  return constant.to(x.device(), x.scalar_type());
}

}  // namespace reseda::inverse
