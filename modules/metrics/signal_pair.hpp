#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace reseda::metrics {

/// A reference and its estimate as every metric of this folder takes them: [L] float64, contiguous, on the CPU.
struct SignalPair {
  at::Tensor reference, estimate;
};

/// Checks and converts a pair; values are not changed.
/// @param metric  name for the message
/// @throws Error{kInput} unless both are real, one-dimensional, of one length, and not empty
SignalPair signal_pair(const at::Tensor& reference, const at::Tensor& estimate, const char* metric);

/// Frames and hop of the framewise metrics, in seconds.
struct FrameConfig {
  double frame_s = 0.032, hop_s = 0.008;
};

/// Hann-windowed frames x[m hop + n] w[n], w[n] = (1 - cos(2 pi n / N)) / 2, handed out in pieces so that the memory of
/// long signals stays bounded. Frame and hop are the seconds of the config rounded to samples. Only whole frames are
/// taken; a signal shorter than one frame is filled with zeros to one.
class WindowedFrames {
 public:
  /// @param signal  [L] float64, L >= 1
  /// @throws Error{kInput} unless rate_hz >= 1
  WindowedFrames(const at::Tensor& signal, std::int64_t rate_hz, const FrameConfig& config);
  std::int64_t count() const { return frames_.size(0); }
  static constexpr std::int64_t kPiece = 4096;  ///< most frames in a piece
  /// Frames first .. min(first + kPiece, count()) - 1. @return [frames, N] float64
  at::Tensor piece(std::int64_t first) const;

 private:
  at::Tensor frames_, window_;
};

}  // namespace reseda::metrics
