#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

namespace reseda::io {

/// Changes the sample rate of a signal that comes in pieces: libsoxr's HQ recipe (what librosa calls soxr_hq), float32,
/// one thread, linear phase, its delay compensated, so that output sample k lies at the time k / out_rate of the input.
/// However the signal is cut into pieces, the samples are the same. Equal rates pass the samples through.
class Resampler {
 public:
  /// @throws Error{kInput} for rates or channels outside what AudioReader accepts, or that libsoxr refuses
  Resampler(std::int64_t in_rate_hz, std::int64_t out_rate_hz, std::int64_t channels);
  ~Resampler();
  Resampler(Resampler&&) noexcept;
  Resampler& operator=(Resampler&&) noexcept;

  /// @param samples  [C, n] float32 on the CPU   @return what is ready, [C, m], m >= 0
  at::Tensor process(const at::Tensor& samples);
  /// The rest. All output together is resampled_length(all input) long: cut or filled with zeros by a sample at its
  /// end, as librosa does. Then the resampler is ready for another signal.
  at::Tensor finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// ceil(frames out_rate / in_rate), in integers.
std::int64_t resampled_length(std::int64_t frames, std::int64_t in_rate_hz, std::int64_t out_rate_hz);

/// A whole signal. @param samples [C, n] float32 @return [C, resampled_length(n)] float32 @throws as Resampler
at::Tensor resample(const at::Tensor& samples, std::int64_t in_rate_hz, std::int64_t out_rate_hz);

/// The way back: resamples, then cuts or fills with zeros to exactly `frames`. With the input of an earlier resample()
/// it undoes that one's change of length.
/// @return [C, frames] float32
at::Tensor resample_to_length(const at::Tensor& samples, std::int64_t in_rate_hz, std::int64_t out_rate_hz,
                              std::int64_t frames);

}  // namespace reseda::io
