#include "modules/metrics/log_spectral_distance.hpp"

#include <ATen/ATen.h>

#include <limits>

namespace reseda::metrics {
namespace {

constexpr double kFloor = 1e-8;  ///< of the reference's largest power

at::Tensor power(const at::Tensor& signal, std::int64_t rate_hz, const FrameConfig& frames) {
  return at::view_as_real(at::fft_rfft(windowed_frames(signal, rate_hz, frames))).square().sum(-1);
}

}  // namespace

double log_spectral_distance(const at::Tensor& reference, const at::Tensor& estimate, std::int64_t rate_hz,
                             const FrameConfig& frames) {
  const SignalPair pair = signal_pair(reference, estimate, "log_spectral_distance");
  const at::Tensor p = power(pair.reference, rate_hz, frames), q = power(pair.estimate, rate_hz, frames);
  const double floor = kFloor * p.max().item<double>();
  if (floor <= 0.0) return std::numeric_limits<double>::quiet_NaN();
  const at::Tensor difference = 10.0 * at::log10(p.clamp_min(floor) / q.clamp_min(floor));
  return difference.square().mean(1).sqrt().mean().item<double>();
}

}  // namespace reseda::metrics
