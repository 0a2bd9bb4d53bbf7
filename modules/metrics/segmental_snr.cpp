#include "modules/metrics/segmental_snr.hpp"

#include <ATen/ATen.h>

namespace reseda::metrics {

double segmental_snr(const at::Tensor& reference, const at::Tensor& estimate, std::int64_t rate_hz,
                     const FrameConfig& frames) {
  constexpr double kLowestDb = -10.0, kHighestDb = 35.0;
  const SignalPair pair = signal_pair(reference, estimate, "segmental_snr");
  const auto energy = [&](const at::Tensor& x) { return windowed_frames(x, rate_hz, frames).square().sum(1); };
  const at::Tensor signal = energy(pair.reference), error = energy(pair.reference - pair.estimate);
  const at::Tensor ratio = (10.0 * at::log10(signal / error)).clamp(kLowestDb, kHighestDb);
  return ratio.masked_select(signal > 0).mean().item<double>();
}

}  // namespace reseda::metrics
