#include "modules/metrics/stoi.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "modules/core/error.hpp"
#include "modules/metrics/rational_resample.hpp"
#include "modules/metrics/signal_pair.hpp"

namespace reseda::metrics {
namespace {

constexpr std::int64_t kRate = 10000, kFrame = 256, kHop = 128, kFft = 512, kBands = 15, kRun = 30;
constexpr double kLowestCentreHz = 150.0, kDynamicRangeDb = 40.0, kClipDb = 15.0;
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr std::int64_t kAtOnce = 4096;  ///< frames or runs in one piece: bounds the memory of long files

const auto kDouble = at::TensorOptions().dtype(at::kDouble);

/// Hann window without its zero ends: w[n] = (1 - cos(2 pi (n + 1) / (N + 1))) / 2.
at::Tensor frame_window() { return at::hann_window(kFrame + 2, /*periodic=*/false, kDouble).narrow(0, 1, kFrame); }

/// Frames [M, kFrame] without the window; a frame that would end exactly with the signal is not taken.
at::Tensor frames_of(const at::Tensor& signal) {
  if (signal.size(0) <= kFrame) return at::zeros({0, kFrame}, kDouble);
  return signal.unfold(0, kFrame, kHop).narrow(0, 0, (signal.size(0) - kFrame + kHop - 1) / kHop);
}

/// Results of `compute` over pieces of the first axis, joined: long files never have all windowed frames in memory.
template <class Compute>
at::Tensor in_pieces(const at::Tensor& frames, Compute compute) {
  std::vector<at::Tensor> results;
  for (std::int64_t first = 0; first < frames.size(0); first += kAtOnce)
    results.push_back(compute(frames.narrow(0, first, std::min(kAtOnce, frames.size(0) - first))));
  return at::cat(results);
}

/// Windowed frames with the given numbers, overlapped and added at the usual hop.
at::Tensor overlap_add(const at::Tensor& frames, const at::Tensor& kept) {
  static_assert(kFrame == 2 * kHop);
  const at::Tensor halves = at::zeros({kept.size(0) + 1, kHop}, kDouble), window = frame_window();
  for (std::int64_t first = 0; first < kept.size(0); first += kAtOnce) {
    const std::int64_t count = std::min(kAtOnce, kept.size(0) - first);
    const at::Tensor piece = frames.index_select(0, kept.narrow(0, first, count)) * window;
    halves.narrow(0, first, count) += piece.narrow(1, 0, kHop);
    halves.narrow(0, first + 1, count) += piece.narrow(1, kHop, kHop);
  }
  return halves.flatten();
}

/// Both signals without the frames in which the reference is silent.
SignalPair speech_only(const SignalPair& pair) {
  const at::Tensor reference = frames_of(pair.reference), estimate = frames_of(pair.estimate), window = frame_window();
  if (reference.size(0) == 0) return {reference.flatten(), estimate.flatten()};
  const at::Tensor level = in_pieces(reference, [&](const at::Tensor& frames) {
    return 20.0 * at::log10(at::linalg_vector_norm(frames * window, 2, {1}) + kEpsilon);
  });
  const at::Tensor kept = at::nonzero(level > level.max() - kDynamicRangeDb).flatten();
  return {overlap_add(reference, kept), overlap_add(estimate, kept)};
}

/// 0/1 matrix [bins, kBands]: band j takes the bins from the one nearest to its lower edge up to, and without, the one
/// nearest to its upper edge; edges 150 Hz 2^((2 j -+ 1) / 6).
at::Tensor band_matrix() {
  const at::Tensor matrix = at::zeros({kFft / 2 + 1, kBands}, kDouble);
  const auto nearest_bin = [](double hz) { return std::llround(hz * kFft / kRate); };
  for (std::int64_t j = 0; j < kBands; ++j) {
    const double centre = static_cast<double>(2 * j);
    const std::int64_t low = nearest_bin(kLowestCentreHz * std::exp2((centre - 1.0) / 6.0));
    const std::int64_t high = nearest_bin(kLowestCentreHz * std::exp2((centre + 1.0) / 6.0));
    matrix.select(1, j).narrow(0, low, high - low).fill_(1.0);
  }
  return matrix;
}

/// Band envelopes X(j, m), [kBands, M].
at::Tensor envelopes(const at::Tensor& signal) {
  const at::Tensor frames = frames_of(signal);
  if (frames.size(0) == 0) return at::zeros({kBands, 0}, kDouble);
  const at::Tensor window = frame_window(), bands = band_matrix();
  return in_pieces(frames,
                   [&](const at::Tensor& piece) {
                     const at::Tensor spectrum = at::view_as_real(at::fft_rfft(piece * window, kFft, 1));
                     return at::matmul(spectrum.square().sum(-1), bands).sqrt();
                   })
      .t();
}

/// Zero mean and unit norm along one axis; what has no variation beyond rounding becomes zero.
at::Tensor normalized(const at::Tensor& x, std::int64_t axis) {
  const at::Tensor centred = x - x.mean(axis, true);
  const at::Tensor norm = at::linalg_vector_norm(centred, 2, {axis}, true);
  const at::Tensor floor = 1e-10 * at::linalg_vector_norm(x, 2, {axis}, true);
  return at::where(norm > floor, centred / norm, at::zeros_like(centred));
}

/// Sum over runs and bands of the clipped correlation; x, y [runs, kBands, kRun].
double clipped_correlation(const at::Tensor& x, const at::Tensor& y) {
  const at::Tensor gain =
      at::linalg_vector_norm(x, 2, {2}, true) / (at::linalg_vector_norm(y, 2, {2}, true) + kEpsilon);
  const at::Tensor clipped = at::minimum(y * gain, x * (1.0 + std::pow(10.0, kClipDb / 20.0)));
  const auto direction = [](const at::Tensor& v) {
    const at::Tensor centred = v - v.mean(2, true);
    return centred / (at::linalg_vector_norm(centred, 2, {2}, true) + kEpsilon);
  };
  return (direction(x) * direction(clipped)).sum().item<double>() / static_cast<double>(kBands);
}

double spectral_correlation(const at::Tensor& x, const at::Tensor& y) {
  return (normalized(normalized(x, 2), 1) * normalized(normalized(y, 2), 1)).sum().item<double>() /
         static_cast<double>(kRun);
}

template <class Score>
double mean_over_runs(const SignalPair& pair, std::int64_t rate_hz, Score score) {
  const SignalPair speech = speech_only(
      {rational_resample(pair.reference, kRate, rate_hz), rational_resample(pair.estimate, kRate, rate_hz)});
  const at::Tensor x = envelopes(speech.reference), y = envelopes(speech.estimate);
  if (x.size(1) < kRun) return std::numeric_limits<double>::quiet_NaN();
  const at::Tensor x_runs = x.unfold(1, kRun, 1).transpose(0, 1), y_runs = y.unfold(1, kRun, 1).transpose(0, 1);
  const std::int64_t runs = x_runs.size(0);
  double sum = 0.0;
  for (std::int64_t first = 0; first < runs; first += kAtOnce) {
    const std::int64_t count = std::min(kAtOnce, runs - first);
    sum += score(x_runs.narrow(0, first, count), y_runs.narrow(0, first, count));
  }
  return sum / static_cast<double>(runs);
}

}  // namespace

double stoi(const at::Tensor& clean, const at::Tensor& estimate, std::int64_t rate_hz) {
  return mean_over_runs(signal_pair(clean, estimate, "stoi"), rate_hz, clipped_correlation);
}

double estoi(const at::Tensor& clean, const at::Tensor& estimate, std::int64_t rate_hz) {
  return mean_over_runs(signal_pair(clean, estimate, "estoi"), rate_hz, spectral_correlation);
}

}  // namespace reseda::metrics
