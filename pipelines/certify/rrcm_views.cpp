#include "pipelines/certify/rrcm_views.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "modules/signal/resize.hpp"

namespace reseda::certify {
namespace {

constexpr double kLeastArea = 0.08, kLongest = 4.0 / 3.0;
constexpr double kJitterChance = 0.8, kGreyChance = 0.2;
constexpr double kBrightness = 0.4, kContrast = 0.4, kSaturation = 0.2, kHue = 0.1;
constexpr double kLeastBlur = 0.1, kMostBlur = 2.0;

bool coloured(const at::Tensor& image) { return image.size(0) == 3; }

/// Luma in every channel; an image without colours as it is.
at::Tensor grey(const at::Tensor& image) {
  if (!coloured(image)) return image;
  return (0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]).expand_as(image);
}

/// other + factor (image - other), within [0, 1].
at::Tensor away_from(const at::Tensor& other, const at::Tensor& image, double factor) {
  return (other + factor * (image - other)).clamp(0, 1);
}

at::Tensor jittered(at::Tensor image, Chooser& choose) {
  image = (image * choose.uniform(1 - kBrightness, 1 + kBrightness)).clamp(0, 1);
  image = away_from(grey(image).mean(), image, choose.uniform(1 - kContrast, 1 + kContrast));
  image = away_from(grey(image), image, choose.uniform(1 - kSaturation, 1 + kSaturation));
  const double turns = choose.uniform(-kHue, kHue);
  return coloured(image) ? hue_turned(image, turns).clamp(0, 1) : image;
}

}  // namespace

at::Tensor resized_crop(const at::Tensor& image, Chooser& choose) {
  const std::int64_t height = image.size(1), width = image.size(2);
  for (int i = 0; i < 10; ++i) {
    const double area = choose.uniform(kLeastArea, 1) * static_cast<double>(height * width);
    const double ratio = std::exp(choose.uniform(-std::log(kLongest), std::log(kLongest)));
    const std::int64_t w = std::llround(std::sqrt(area * ratio)), h = std::llround(std::sqrt(area / ratio));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const std::int64_t top = choose.below(height - h + 1), left = choose.below(width - w + 1);
    return signal::resize(image.narrow(1, top, h).narrow(2, left, w), height, width, "pillow_bilinear");
  }
  return image;
}

at::Tensor hue_turned(const at::Tensor& image, double turns) {
  const double angle = 2 * std::numbers::pi * turns;
  const at::Tensor axis = image.mean(0, /*keepdim=*/true);
  const at::Tensor across = (image.roll(1, 0) - image.roll(-1, 0)) / std::numbers::sqrt3;
  return axis + std::cos(angle) * (image - axis) + std::sin(angle) * across;
}

at::Tensor blurred(const at::Tensor& image, double sigma) {
  const auto radius = static_cast<std::int64_t>(std::ceil(3 * sigma));
  const at::Tensor taps = (at::arange(-radius, radius + 1, image.options()) / sigma).square().mul(-0.5).exp();
  const at::Tensor kernel = taps / taps.sum();
  const at::Tensor padded = at::replication_pad2d(image.unsqueeze(1), {radius, radius, radius, radius});
  return at::conv2d(at::conv2d(padded, kernel.view({1, 1, 1, -1})), kernel.view({1, 1, -1, 1})).squeeze(1);
}

at::Tensor solarized(const at::Tensor& image) { return at::where(image >= 0.5, 1 - image, image); }

at::Tensor strong_view(const at::Tensor& image, const ViewChances& chances, bool flip, Chooser& choose) {
  at::Tensor view = resized_crop(image, choose);
  if (choose.chance(kJitterChance)) view = jittered(view, choose);
  if (choose.chance(kGreyChance)) view = grey(view);
  if (choose.chance(chances.blur)) view = blurred(view, choose.uniform(kLeastBlur, kMostBlur));
  if (choose.chance(chances.solarize)) view = solarized(view);
  return flip && choose.chance(0.5) ? view.flip(2) : view;
}

}  // namespace reseda::certify
