#include "pipelines/certify/photograph.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "modules/core/error.hpp"
#include "modules/signal/resize.hpp"

namespace reseda::certify {
namespace {

void require_levels(const at::Tensor& image) {
  RESEDA_REQUIRE(image.dim() == 3 && image.scalar_type() == at::kByte, Errc::kInternal,
                 "a photograph must be uint8 [C,H,W]");
}

at::Tensor cropped(const at::Tensor& image, std::int64_t top, std::int64_t left, std::int64_t size) {
  RESEDA_REQUIRE(image.size(1) >= size && image.size(2) >= size, Errc::kUsage, "input.size is ", size,
                 ", but the photograph has ", image.size(1), " x ", image.size(2));
  return image.narrow(1, top, size).narrow(2, left, size).contiguous();
}

}  // namespace

at::Tensor resized_and_cropped(const at::Tensor& image, std::int64_t resize, std::int64_t size) {
  require_levels(image);
  const std::int64_t height = image.size(1), width = image.size(2), shorter = std::min(height, width);
  const auto side = [&](std::int64_t length) { return length == shorter ? resize : resize * length / shorter; };
  const at::Tensor small = signal::resize(image, side(height), side(width), "pillow_bilinear");
  const auto offset = [&](std::int64_t length) {
    return static_cast<std::int64_t>(std::nearbyint(static_cast<double>(length - size) / 2));
  };
  return cropped(small, offset(small.size(1)), offset(small.size(2)), size);
}

at::Tensor halved_and_cropped(const at::Tensor& image, std::int64_t size) {
  require_levels(image);
  if (image.size(1) == size && image.size(2) == size) return image;
  at::Tensor small = image;
  while (std::min(small.size(1), small.size(2)) >= 2 * size)
    small = signal::resize(small, small.size(1) / 2, small.size(2) / 2, "pillow_box");
  const double scale = static_cast<double>(size) / static_cast<double>(std::min(small.size(1), small.size(2)));
  const auto side = [&](std::int64_t length) {
    return static_cast<std::int64_t>(std::nearbyint(static_cast<double>(length) * scale));
  };
  small = signal::resize(small, side(small.size(1)), side(small.size(2)), "pillow_bicubic");
  return cropped(small, (small.size(1) - size) / 2, (small.size(2) - size) / 2, size);
}

}  // namespace reseda::certify
