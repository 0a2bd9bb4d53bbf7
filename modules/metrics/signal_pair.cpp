#include "modules/metrics/signal_pair.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "modules/core/error.hpp"

namespace reseda::metrics {

SignalPair signal_pair(const at::Tensor& reference, const at::Tensor& estimate, const char* metric) {
  for (const at::Tensor* signal : {&reference, &estimate})
    RESEDA_REQUIRE(signal->dim() == 1 && signal->is_floating_point(), Errc::kInput, metric,
                   ": a signal must be one-dimensional and real, got ", signal->toString(), " ", signal->sizes());
  RESEDA_REQUIRE(reference.size(0) == estimate.size(0), Errc::kInput, metric,
                 ": both signals must have one length, got ", reference.size(0), " and ", estimate.size(0), " samples");
  RESEDA_REQUIRE(reference.size(0) > 0, Errc::kInput, metric, ": the signals are empty");
  const auto options = at::TensorOptions().dtype(at::kDouble).device(at::kCPU);
  return {reference.detach().to(options).contiguous(), estimate.detach().to(options).contiguous()};
}

WindowedFrames::WindowedFrames(const at::Tensor& signal, std::int64_t rate_hz, const FrameConfig& config) {
  RESEDA_REQUIRE(rate_hz >= 1, Errc::kInput, "sample rate must be positive, got ", rate_hz);
  const auto samples = [rate_hz](double seconds) {
    return std::max<std::int64_t>(1, std::llround(seconds * static_cast<double>(rate_hz)));
  };
  const std::int64_t frame = samples(config.frame_s), missing = frame - signal.size(0);
  const at::Tensor whole = missing > 0 ? at::constant_pad_nd(signal, {0, missing}) : signal;
  frames_ = whole.unfold(0, frame, samples(config.hop_s));
  window_ = at::hann_window(frame, /*periodic=*/true, signal.options());
}

at::Tensor WindowedFrames::piece(std::int64_t first) const {
  return frames_.narrow(0, first, std::min(kPiece, count() - first)) * window_;
}

}  // namespace reseda::metrics
