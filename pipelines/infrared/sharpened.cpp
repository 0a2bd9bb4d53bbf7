#include "pipelines/infrared/sharpened.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "modules/signal/resize.hpp"

namespace reseda::infrared {
namespace {

constexpr double kSigma = 0.8, kMostShare = 2.5, kLeastKept = 0.5;
constexpr std::int64_t kRadius = 3;  // where the Gaussian is below a thousandth of its middle

at::Tensor resized(const at::Tensor& image, std::int64_t height, std::int64_t width) {
  return signal::resize(image, height, width, "pillow_bicubic");
}

double rms(const at::Tensor& difference) { return std::sqrt(difference.square().mean(at::kDouble).item<double>()); }

/// What the Gaussian takes away, with the outermost pixels continued.
at::Tensor fine_detail(const at::Tensor& image) {
  std::array<float, 2 * kRadius + 1> weights{};
  double sum = 0;
  for (std::int64_t i = -kRadius; i <= kRadius; ++i)
    sum += std::exp(-0.5 * static_cast<double>(i * i) / (kSigma * kSigma));
  for (std::int64_t i = -kRadius; i <= kRadius; ++i)
    weights[static_cast<std::size_t>(i + kRadius)] =
        static_cast<float>(std::exp(-0.5 * static_cast<double>(i * i) / (kSigma * kSigma)) / sum);
  const at::Tensor kernel = at::tensor(at::ArrayRef<float>(weights.data(), weights.size()), at::kFloat);
  const at::Tensor padded = at::replication_pad2d(image, {kRadius, kRadius, kRadius, kRadius});
  return image - at::conv2d(at::conv2d(padded, kernel.view({1, 1, 1, -1})), kernel.view({1, 1, -1, 1}));
}

/// Mean length of the gradient by central differences, inside the frame.
double mean_gradient(const at::Tensor& image) {
  const std::int64_t height = image.size(2), width = image.size(3);
  if (height < 3 || width < 3) return 0;
  const at::Tensor inner_rows = image.slice(2, 1, height - 1), inner_columns = image.slice(3, 1, width - 1);
  at::Tensor square = (inner_rows.slice(3, 2, width) - inner_rows.slice(3, 0, width - 2)).square_();
  square.add_((inner_columns.slice(2, 2, height) - inner_columns.slice(2, 0, height - 2)).square_());
  return 0.5 * square.sqrt_().mean(at::kDouble).item<double>();
}

}  // namespace

double kept_sharpness(const at::Tensor& high, const at::Tensor& low) {
  const std::int64_t height = low.size(2), width = low.size(3);
  if (height < 2 || width < 2) return 1;
  const double added = rms(high - resized(low, high.size(2), high.size(3)));
  const double lost = rms(low - resized(resized(low, height / 2, width / 2), height, width));
  if (added <= 0 || lost <= 0) return 1;
  return std::clamp(0.49 * std::pow(added / lost, -0.666), kLeastKept, 1.0);
}

at::Tensor sharpened(const at::Tensor& high, double factor) {
  const double before = mean_gradient(high);
  if (factor <= 1 || before <= 0) return high;
  const at::Tensor detail = fine_detail(high);
  double least = 0, most = kMostShare;
  for (int i = 0; i < 8; ++i) {
    const double share = (least + most) / 2;
    (mean_gradient(at::add(high, detail, share)) < factor * before ? least : most) = share;
  }
  return at::add(high, detail, (least + most) / 2);
}

Sharpened::Sharpened(std::unique_ptr<Upscaler> inner, double sharpness)
    : inner_(std::move(inner)), sharpness_(sharpness) {}

at::Tensor Sharpened::run(const at::Tensor& low, const UpscaleContext& context) const {
  const at::Tensor high = inner_->run(low, context);
  return sharpened(high, sharpness_ / kept_sharpness(high, low));
}

std::int64_t Sharpened::working_bytes(std::int64_t height, std::int64_t width) const {
  const std::int64_t pixels = scale() * scale() * height * width;
  return std::max(inner_->working_bytes(height, width), 48 * pixels);
}

}  // namespace reseda::infrared
