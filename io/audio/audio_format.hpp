#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace reseda::io {

inline constexpr std::int64_t kMaxChannels = 64;
inline constexpr std::int64_t kMinSampleRateHz = 100, kMaxSampleRateHz = 768'000;

/// What makes an audio file what it is, apart from its samples; a writer given a reader's format makes the same kind.
struct AudioFormat {
  std::int64_t sample_rate_hz = 16000;
  std::int64_t channels = 1;
  /// libsndfile's number: container | subtype | byte order. Default: WAV, 16 bit.
  int encoding = 0x010002;
  /// title, artist, album, comment, copyright, date, genre, license, software, tracknumber; absent ones are not listed.
  std::map<std::string, std::string> tags = {};
  std::vector<int> channel_map = {};      ///< libsndfile's position of each channel; empty when the file does not say
  std::vector<std::byte> broadcast = {};  ///< the WAV bext chunk as libsndfile holds it; empty when absent
  std::vector<std::byte> cart = {};       ///< the WAV cart chunk likewise
};

struct AudioInfo {
  AudioFormat format;
  std::int64_t frames = 0;  ///< samples per channel
};

/// Container and subtype for a person, e.g. "WAV (Microsoft), Signed 16 bit PCM".
std::string encoding_name(int encoding);

/// Whether the subtype stores floating-point samples, which have no full scale to clip at.
bool stores_float(int encoding);

/// Whether this machine's libsndfile can write that encoding with these channels at this rate.
bool can_write(const AudioFormat& format);

/// The format that a file of this name gets. The extension picks the container: wav, rf64, w64, flac, ogg, oga
/// (Vorbis), opus, mp3, aif(f), aifc, au, snd, caf. A container of the same family keeps its whole encoding; otherwise
/// the subtype is kept where it is PCM or float and the container has it, else the nearest of at least its depth is
/// taken (flac: at most 24 bit; from lossy sources: 16 bit). Tags and chunks are kept.
/// @throws Error{kOutput} with the path: unknown extension, or nothing that libsndfile can write
AudioFormat fit_format(AudioFormat format, const std::filesystem::path& file);

}  // namespace reseda::io
