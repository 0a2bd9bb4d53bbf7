#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace reseda::io {

inline constexpr int kMaxChannels = 64;
inline constexpr std::int64_t kMinSampleRateHz = 100, kMaxSampleRateHz = 768'000;

/// What makes an audio file what it is, apart from its samples; a writer given a reader's format makes the same kind.
struct AudioFormat {
  std::int64_t sample_rate_hz = 16000;
  std::int64_t channels = 1;
  /// libsndfile's number: container | subtype | byte order. Default: WAV, 16 bit.
  int encoding = 0x010002;
  /// title, artist, album, comment, copyright, date, genre, license, software, tracknumber; absent ones are not listed.
  std::map<std::string, std::string> tags;
  std::vector<int> channel_map;      ///< libsndfile's position of each channel; empty when the file does not say
  std::vector<std::byte> broadcast;  ///< the WAV bext chunk as libsndfile holds it; empty when absent
  std::vector<std::byte> cart;       ///< the WAV cart chunk likewise
};

struct AudioInfo {
  AudioFormat format;
  std::int64_t frames = 0;  ///< samples per channel
};

/// Container and subtype for a person, e.g. "WAV, Signed 16 bit PCM".
std::string encoding_name(int encoding);

}  // namespace reseda::io
