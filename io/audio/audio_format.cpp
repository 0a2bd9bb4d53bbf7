#include "io/audio/audio_format.hpp"

#include <sndfile.h>

#include <algorithm>
#include <array>
#include <utility>

#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

struct Container {
  const char* extension;
  int container;
  int lossy;  ///< subtype of its own that it falls back to; 0 = none
};
constexpr std::array<Container, 15> kContainers = {{{"wav", SF_FORMAT_WAV, 0},
                                                    {"wave", SF_FORMAT_WAV, 0},
                                                    {"rf64", SF_FORMAT_RF64, 0},
                                                    {"w64", SF_FORMAT_W64, 0},
                                                    {"flac", SF_FORMAT_FLAC, 0},
                                                    {"ogg", SF_FORMAT_OGG, SF_FORMAT_VORBIS},
                                                    {"oga", SF_FORMAT_OGG, SF_FORMAT_VORBIS},
                                                    {"opus", SF_FORMAT_OGG, SF_FORMAT_OPUS},
                                                    {"mp3", SF_FORMAT_MPEG, SF_FORMAT_MPEG_LAYER_III},
                                                    {"aif", SF_FORMAT_AIFF, 0},
                                                    {"aiff", SF_FORMAT_AIFF, 0},
                                                    {"aifc", SF_FORMAT_AIFF, 0},
                                                    {"au", SF_FORMAT_AU, 0},
                                                    {"snd", SF_FORMAT_AU, 0},
                                                    {"caf", SF_FORMAT_CAF, 0}}};

std::string name_of(int value) {
  SF_FORMAT_INFO info{};
  info.format = value;
  const int failed = sf_command(nullptr, SFC_GET_FORMAT_INFO, &info, sizeof(info));
  return failed == 0 && info.name != nullptr ? info.name : "unknown";
}

int container_of(int encoding) {
  const int container = encoding & SF_FORMAT_TYPEMASK;
  return container == SF_FORMAT_WAVEX || container == SF_FORMAT_RF64 ? SF_FORMAT_WAV : container;
}

/// Subtypes that hold what `subtype` holds, the best first.
std::vector<int> at_least(int subtype) {
  switch (subtype) {
    case SF_FORMAT_PCM_S8:
    case SF_FORMAT_PCM_U8:
      return {subtype, SF_FORMAT_PCM_U8, SF_FORMAT_PCM_S8, SF_FORMAT_PCM_16};
    case SF_FORMAT_PCM_24:
    case SF_FORMAT_ALAC_20:
    case SF_FORMAT_ALAC_24:
      return {SF_FORMAT_PCM_24};
    case SF_FORMAT_PCM_32:
    case SF_FORMAT_ALAC_32:
      return {SF_FORMAT_PCM_32, SF_FORMAT_PCM_24};
    case SF_FORMAT_FLOAT:
      return {SF_FORMAT_FLOAT, SF_FORMAT_PCM_24};
    case SF_FORMAT_DOUBLE:
      return {SF_FORMAT_DOUBLE, SF_FORMAT_FLOAT, SF_FORMAT_PCM_24};
    default:
      return {SF_FORMAT_PCM_16};
  }
}

}  // namespace

std::string encoding_name(int encoding) {
  return name_of(encoding & SF_FORMAT_TYPEMASK) + ", " + name_of(encoding & SF_FORMAT_SUBMASK);
}

bool stores_float(int encoding) {
  const int subtype = encoding & SF_FORMAT_SUBMASK;
  return subtype == SF_FORMAT_FLOAT || subtype == SF_FORMAT_DOUBLE;
}

bool can_write(const AudioFormat& format) {
  constexpr std::array<std::int64_t, 5> kOpusRates = {8000, 12000, 16000, 24000, 48000};
  if (format.channels < 1 || format.channels > kMaxChannels || format.sample_rate_hz < kMinSampleRateHz ||
      format.sample_rate_hz > kMaxSampleRateHz)
    return false;
  if ((format.encoding & SF_FORMAT_SUBMASK) == SF_FORMAT_OPUS &&
      std::find(kOpusRates.begin(), kOpusRates.end(), format.sample_rate_hz) == kOpusRates.end())
    return false;
  // libsndfile's check lets MPEG inside WAV pass, which it then cannot open.
  const int subtype = format.encoding & SF_FORMAT_SUBMASK;
  if (subtype >= SF_FORMAT_MPEG_LAYER_I && subtype <= SF_FORMAT_MPEG_LAYER_III &&
      container_of(format.encoding) != SF_FORMAT_MPEG)
    return false;
  SF_INFO info{};
  info.format = format.encoding;
  info.channels = static_cast<int>(format.channels);
  info.samplerate = static_cast<int>(format.sample_rate_hz);
  return sf_format_check(&info) != 0;
}

AudioFormat fit_format(AudioFormat format, const std::filesystem::path& file) {
  std::string extension = file.extension().string();
  if (!extension.empty()) extension.erase(0, 1);
  std::transform(extension.begin(), extension.end(), extension.begin(), [](unsigned char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : static_cast<char>(c);
  });
  const auto found = std::find_if(kContainers.begin(), kContainers.end(),
                                  [&](const Container& known) { return extension == known.extension; });
  RESEDA_REQUIRE(found != kContainers.end(), Errc::kOutput, file.string(), ": unknown audio extension '", extension,
                 "', expected wav, flac, ogg, opus, mp3, aiff, au, caf, w64 or rf64");
  std::vector<int> candidates;
  const int subtype = format.encoding & SF_FORMAT_SUBMASK;
  if (container_of(format.encoding) == container_of(found->container) &&
      (found->lossy != SF_FORMAT_OPUS || subtype == SF_FORMAT_OPUS))
    candidates.push_back(format.encoding);
  if (found->lossy == 0)
    for (const int holds : at_least(subtype)) candidates.push_back(found->container | holds);
  else
    candidates.push_back(found->container | found->lossy);
  for (const int candidate : candidates) {
    format.encoding = candidate;
    if (can_write(format)) return format;
  }
  detail::raise(Errc::kOutput, file.string(), ": cannot write ", encoding_name(candidates.back()), " with ",
                format.channels, " channels at ", format.sample_rate_hz, " Hz");
}

}  // namespace reseda::io
