#include "pipelines/infrared/upscaler.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <string>

#include "modules/core/error.hpp"
#include "modules/signal/resize.hpp"

namespace reseda::infrared {
namespace {

/// Part of the range, -1 to 1, by which shrunk results may differ whatever the frame holds.
constexpr double kTolerance = 0.1;
/// Greatest less least value, as part of the range, up to which a picture counts as constant.
constexpr double kConstant = 1e-5;

at::Tensor resized_like(const at::Tensor& image, const at::Tensor& other) {
  return signal::resize(image, other.size(2), other.size(3), "pillow_bicubic");
}

}  // namespace

void UpscaleContext::report(std::int64_t done, std::int64_t total) const {
  if (progress && !progress({done, total, ""})) throw Error(Errc::kInterrupted, "stopped before the item was finished");
}

namespace {

at::Tensor oriented(const at::Tensor& image, std::int64_t way) {
  const at::Tensor turned = at::rot90(image, way % 4, {2, 3});
  return way >= 4 ? turned.flip(3) : turned;
}

at::Tensor oriented_back(const at::Tensor& image, std::int64_t way) {
  return at::rot90(way >= 4 ? image.flip(3) : image, -(way % 4), {2, 3});
}

at::Tensor run_sample(const Upscaler& upscaler, const at::Tensor& low, const UpscaleContext& context) {
  if (upscaler.draws_noise() || context.sample == 0) return upscaler.run(low, context);
  const auto way = static_cast<std::int64_t>(context.sample);
  return oriented_back(upscaler.run(oriented(low, way).contiguous(), context), way);
}

}  // namespace

SampleStatistics run_samples(const Upscaler& upscaler, const at::Tensor& low, std::int64_t count,
                             UpscaleContext context) {
  context.sample = 0;
  SampleStatistics out{upscaler.run(low, context), {}};
  for (std::int64_t n = 2; n <= count; ++n) {
    context.sample = static_cast<std::uint32_t>(n - 1);
    // Welford 1962: stable, and holds two sums whatever the count.
    const at::Tensor sample = run_sample(upscaler, low, context), before = sample - out.mean;
    out.mean.add_(before / static_cast<double>(n));
    const at::Tensor squares = before.mul_(sample - out.mean);
    out.deviation = out.deviation.defined() ? out.deviation.add_(squares) : squares;
  }
  if (count > 1) out.deviation.clamp_min_(0).div_(static_cast<double>(count - 1)).sqrt_();
  return out;
}

at::Tensor back_project(at::Tensor high, const at::Tensor& low, std::int64_t times) {
  for (std::int64_t i = 0; i < times; ++i) high = high + resized_like(low - resized_like(high, low), high);
  return high;
}

Agreement agreement(const at::Tensor& high, const at::Tensor& low) {
  const at::Tensor difference = (resized_like(high, low) - low).to(at::kDouble);
  return {difference.mean().item<double>(), std::sqrt(difference.square().mean().item<double>())};
}

Agreement check_result(const at::Tensor& high, const at::Tensor& low, const std::string& name) {
  RESEDA_REQUIRE(high.isfinite().all().item<bool>(), Errc::kNumeric, name, ": the result has NaN or infinite values");
  const auto constant = [](const at::Tensor& image) {
    return (image.max() - image.min()).item<double>() <= 2 * kConstant;
  };
  RESEDA_REQUIRE(!constant(high) || constant(low), Errc::kNumeric, name,
                 ": the result is constant, which the frame is not");
  const double spread = low.to(at::kDouble).std(/*unbiased=*/false).item<double>();
  const Agreement found = agreement(high, low);
  RESEDA_REQUIRE(found.rms <= spread + kTolerance, Errc::kNumeric, name,
                 ": the result does not agree with the frame: shrunk, it differs by ", 50 * found.rms,
                 " % of the range (root mean square)");
  return found;
}

}  // namespace reseda::infrared
