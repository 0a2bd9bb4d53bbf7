#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "io/audio/audio_format.hpp"

namespace reseda::io {

struct AudioWriterOptions {
  /// How the file was made; is appended to the software tag (mp3: the comment), where the container has one.
  std::string provenance = {};
  /// A WAV file that would pass this size becomes RF64, whose sizes have 64 bits; aiff and au are refused there.
  std::int64_t riff_limit_bytes = 0xFFFF'0000;
};

/// Encodes audio in pieces. The file appears at commit(), whole; without it nothing is left. The same samples give the
/// same bytes, however they are cut into pieces: no clock, no random stream numbers.
class AudioWriter {
 public:
  /// @param path    the file, or "-" for standard output, which gets WAV at commit()
  /// @param format  what to write (see fit_format for another extension); tags and chunks go where the container has
  /// them
  /// @throws Error{kOutput} with the path: an encoding that cannot be written, no such folder, not a regular file
  AudioWriter(const std::filesystem::path& path, const AudioFormat& format, AudioWriterOptions options = {});
  ~AudioWriter();
  AudioWriter(AudioWriter&&) noexcept;
  AudioWriter& operator=(AudioWriter&&) noexcept;

  const AudioFormat& format() const;

  /// Appends samples. Integer subtypes of b bits become floor(x 2^(b-1)) in WAV, as libsndfile with clipping does;
  /// outside [-1, 1] samples are set to the limit and counted, unless the file stores floats.
  /// @param samples  [C, n] float32 on the CPU
  /// @throws Error{kOutput} with the path when the disk is full, Error{kNumeric} at NaN or Inf, with frame and channel
  void write(const at::Tensor& samples);
  /// Finishes the file and gives it its name. @throws Error{kOutput}, also for zero samples in flac, mp3, opus and aiff
  void commit();

  std::int64_t frames() const;
  std::int64_t clipped_count() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Writes a whole file. @param samples [C, n] float32 @throws as AudioWriter
void write_audio(const std::filesystem::path& path, const at::Tensor& samples, const AudioFormat& format);

}  // namespace reseda::io
