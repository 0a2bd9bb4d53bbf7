#include "modules/metrics/log_spectral_distance.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

namespace reseda::metrics {
namespace {

constexpr double kFloor = 1e-8;  ///< of the reference's largest power

/// |rfft|^2 of frames [M, N].
at::Tensor power(const at::Tensor& frames) { return at::view_as_real(at::fft_rfft(frames)).square().sum(-1); }

}  // namespace

double log_spectral_distance(const at::Tensor& reference, const at::Tensor& estimate, std::int64_t rate_hz,
                             const FrameConfig& config) {
  const SignalPair pair = signal_pair(reference, estimate, "log_spectral_distance");
  const WindowedFrames r(pair.reference, rate_hz, config), e(pair.estimate, rate_hz, config);
  double largest = 0.0;
  for (std::int64_t first = 0; first < r.count(); first += WindowedFrames::kPiece)
    largest = std::max(largest, power(r.piece(first)).max().item<double>());
  const double floor = kFloor * largest;
  if (floor <= 0.0) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0.0;
  for (std::int64_t first = 0; first < r.count(); first += WindowedFrames::kPiece) {
    const at::Tensor p = power(r.piece(first)).clamp_min(floor), q = power(e.piece(first)).clamp_min(floor);
    sum += (10.0 * at::log10(p / q)).square().mean(1).sqrt().sum().item<double>();
  }
  return sum / static_cast<double>(r.count());
}

}  // namespace reseda::metrics
