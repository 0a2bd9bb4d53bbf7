#include "modules/metrics/segmental_snr.hpp"

#include <ATen/ATen.h>

#include <limits>

namespace reseda::metrics {

double segmental_snr(const at::Tensor& reference, const at::Tensor& estimate, std::int64_t rate_hz,
                     const FrameConfig& frames) {
  constexpr double kLowestDb = -10.0, kHighestDb = 35.0;
  const SignalPair pair = signal_pair(reference, estimate, "segmental_snr");
  const WindowedFrames reference_frames(pair.reference, rate_hz, frames);
  const WindowedFrames error_frames(pair.reference - pair.estimate, rate_hz, frames);
  double sum = 0.0;
  std::int64_t count = 0;
  for (std::int64_t first = 0; first < reference_frames.count(); first += WindowedFrames::kPiece) {
    const at::Tensor signal = reference_frames.piece(first).square().sum(1);
    const at::Tensor error = error_frames.piece(first).square().sum(1);
    const at::Tensor ratio = (10.0 * at::log10(signal / error)).clamp(kLowestDb, kHighestDb).masked_select(signal > 0);
    sum += ratio.sum().item<double>();
    count += ratio.size(0);
  }
  return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(count);
}

}  // namespace reseda::metrics
