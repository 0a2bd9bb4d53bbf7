#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>

#include "io/audio/audio_format.hpp"

namespace reseda::io {

/// What to do about NaN and infinite samples, which only float files can hold.
enum class NonFinite {
  kRefuse,  ///< Error{kInput} naming the first frame and channel
  kKeep     ///< hand them on; non_finite_count() tells how many
};

/// Decodes wav, flac, ogg (vorbis, opus), mp3, aiff, au, caf and w64 in pieces: memory does not depend on the length.
class AudioReader {
 public:
  /// @param path  a file, or "-" for standard input, which goes to an unnamed temporary file first
  /// @throws Error{kInput} with the path: missing, unreadable, a folder, empty, not audio, cut short, more than
  ///         kMaxChannels channels, or a rate outside kMinSampleRateHz..kMaxSampleRateHz. A file of zero samples is no
  ///         error.
  explicit AudioReader(const std::filesystem::path& path, NonFinite non_finite = NonFinite::kRefuse);
  ~AudioReader();
  AudioReader(AudioReader&&) noexcept;
  AudioReader& operator=(AudioReader&&) noexcept;

  const AudioInfo& info() const;

  /// The next samples; integer samples are divided by their full scale, so that values lie in [-1, 1).
  /// @return  [C, n] float32, n = min(max_frames, what is left); n = 0 at the end
  /// @throws  Error{kInput} when data end before info().frames or cannot be decoded, or at NaN and Inf (kRefuse)
  at::Tensor read(std::int64_t max_frames);
  /// All that is left: read() with no limit.
  at::Tensor read_all();
  /// Starts again at the first sample. @throws Error{kInput}
  void rewind();
  /// Frames read so far since the start or the last rewind().
  std::int64_t position() const;
  /// NaN and infinite samples met since the start or the last rewind().
  std::int64_t non_finite_count() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Reads a whole file. @return [C, n] float32 @throws Error{kInput}
at::Tensor read_audio(const std::filesystem::path& path, AudioInfo* info = nullptr);

}  // namespace reseda::io
