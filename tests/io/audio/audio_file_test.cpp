#include "io/audio/audio_file.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sndfile.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "tests/io/audio/audio_fixture.hpp"

namespace reseda::io {
namespace {

struct Kind {
  const char* extension;
  int encoding;
  std::int64_t rate, channels;
  double snr;  ///< at least this many dB come back; 0 = every bit
};

// Tests over containers and subtypes run over this list.
const std::vector<Kind> kKinds = {{"wav", SF_FORMAT_WAV | SF_FORMAT_PCM_U8, 16000, 1, 37},
                                  {"wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, 86},
                                  {"wav", SF_FORMAT_WAV | SF_FORMAT_PCM_24, 44100, 2, 134},
                                  {"wav", SF_FORMAT_WAV | SF_FORMAT_PCM_32, 48000, 2, 180},
                                  {"wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 192000, 8, 0},
                                  {"wav", SF_FORMAT_WAV | SF_FORMAT_DOUBLE, 16000, 1, 0},
                                  {"wav", SF_FORMAT_WAV | SF_FORMAT_ULAW, 8000, 1, 35},
                                  {"wav", SF_FORMAT_WAVEX | SF_FORMAT_PCM_16, 16000, 6, 86},
                                  {"rf64", SF_FORMAT_RF64 | SF_FORMAT_PCM_16, 16000, 1, 86},
                                  {"w64", SF_FORMAT_W64 | SF_FORMAT_PCM_24, 16000, 2, 134},
                                  {"flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 16000, 8, 92},
                                  {"flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_24, 192000, 2, 138},
                                  {"ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 16000, 2, 30},
                                  {"ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 48000, 8, 28},
                                  {"opus", SF_FORMAT_OGG | SF_FORMAT_OPUS, 16000, 1, 30},
                                  {"opus", SF_FORMAT_OGG | SF_FORMAT_OPUS, 48000, 2, 12},
                                  {"aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_16, 16000, 1, 86},
                                  {"au", SF_FORMAT_AU | SF_FORMAT_PCM_16, 16000, 1, 86},
                                  {"caf", SF_FORMAT_CAF | SF_FORMAT_PCM_24, 16000, 1, 134},
                                  {"mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 44100, 2, 30}};

AudioFormat format_of(const Kind& kind) {
  return {.sample_rate_hz = kind.rate, .channels = kind.channels, .encoding = kind.encoding};
}

std::string name_of(const Kind& kind) { return std::string("x.") + kind.extension; }

TEST_F(AudioTest, EveryKindComesBackWithItsLengthAndFormat) {
  for (const Kind& kind : kKinds) {
    SCOPED_TRACE(encoding_name(kind.encoding));
    if (!can_write(format_of(kind))) {
      EXPECT_STREQ(kind.extension, "mp3") << "only mp3 may be left out of a libsndfile";
      continue;
    }
    for (const std::int64_t frames : {1, 7777, 70001}) {
      const at::Tensor x = tones(kind.channels, frames, kind.rate);
      write_audio(file(name_of(kind)), x, format_of(kind));
      AudioInfo info;
      const at::Tensor y = read_audio(file(name_of(kind)), &info);
      EXPECT_EQ(info.frames, frames);
      EXPECT_EQ(info.format.encoding, kind.encoding);
      EXPECT_EQ(info.format.sample_rate_hz, kind.rate);
      EXPECT_EQ(info.format.channels, kind.channels);
      ASSERT_EQ(y.sizes(), x.sizes());
      if (kind.snr == 0) {
        EXPECT_TRUE(at::equal(x, y));
      } else if (frames > 1) {
        EXPECT_GT(snr_db(x, y), kind.snr);
      }
    }
  }
}

TEST_F(AudioTest, PiecesEqualTheWholeAndRewindStartsAgain) {
  for (const Kind& kind : kKinds) {
    SCOPED_TRACE(encoding_name(kind.encoding));
    if (!can_write(format_of(kind))) continue;
    const at::Tensor x = tones(kind.channels, 20011, kind.rate);
    AudioWriter writer(file(name_of(kind)), format_of(kind));
    for (std::int64_t at = 0; at < x.size(1); at += 3001)
      writer.write(x.narrow(1, at, std::min<std::int64_t>(3001, x.size(1) - at)));
    writer.commit();
    write_audio(file("whole"), x, format_of(kind));
    EXPECT_TRUE(bytes_of(file(name_of(kind))) == bytes_of(file("whole")));
    AudioReader reader(file(name_of(kind)));
    const at::Tensor whole = reader.read_all();
    EXPECT_EQ(reader.read(10).sizes(), (at::IntArrayRef{kind.channels, 0}));
    reader.rewind();
    std::vector<at::Tensor> parts;
    do {
      parts.push_back(reader.read(997));
    } while (parts.back().size(1) > 0);
    EXPECT_EQ(reader.position(), x.size(1));
    EXPECT_TRUE(at::equal(at::cat(parts, 1), whole));
  }
}

TEST_F(AudioTest, SixteenBitFloorsAndSaturates) {
  const double lsb = 1.0 / 32768;
  const at::Tensor x =
      at::tensor({0.0, 0.6 * lsb, -0.4 * lsb, 1.5 * lsb, -1.5 * lsb, 0.99999, 1.0, -1.0, 1.5, -1.5, 0.25});
  write_audio(file("x.wav"), x.to(at::kFloat).unsqueeze(0), AudioFormat{});
  const at::Tensor y = read_audio(file("x.wav")) * 32768;
  const at::Tensor expected = at::tensor({0, 0, -1, 1, -2, 32767, 32767, -32768, 32767, -32768, 8192});
  EXPECT_TRUE(at::equal(y[0].to(at::kInt), expected.to(at::kInt))) << y;
}

TEST_F(AudioTest, ExactPcmSurvivesEveryLosslessKind) {
  const at::Tensor codes = at::arange(-32768, 32768, at::kFloat) / 32768;
  for (const int encoding :
       {SF_FORMAT_WAV | SF_FORMAT_PCM_16, SF_FORMAT_WAV | SF_FORMAT_PCM_24, SF_FORMAT_WAV | SF_FORMAT_FLOAT,
        SF_FORMAT_FLAC | SF_FORMAT_PCM_16, SF_FORMAT_FLAC | SF_FORMAT_PCM_24, SF_FORMAT_AIFF | SF_FORMAT_PCM_16}) {
    write_audio(file("x"), codes.unsqueeze(0), AudioFormat{.encoding = encoding});
    EXPECT_TRUE(at::equal(read_audio(file("x"))[0], codes)) << encoding_name(encoding);
  }
}

TEST_F(AudioTest, ClippedSamplesAreCountedUnlessFloatsAreStored) {
  const at::Tensor x = at::tensor({0.5F, 1.0F, -1.0F, 1.25F, -2.0F, 0.0F}).reshape({2, 3});
  for (const Kind& kind : kKinds) {
    AudioFormat format = format_of(kind);
    format.channels = 2;
    if (!can_write(format)) continue;
    AudioWriter writer(file(name_of(kind)), format);
    writer.write(x);
    EXPECT_EQ(writer.clipped_count(), stores_float(kind.encoding) ? 0 : 2) << encoding_name(kind.encoding);
    EXPECT_EQ(writer.frames(), 3);
    writer.commit();
    const bool same = at::equal(read_audio(file(name_of(kind))), x);
    EXPECT_TRUE(same || !stores_float(kind.encoding));
  }
}

TEST_F(AudioTest, TagsAndProvenanceAreKept) {
  const std::vector<std::pair<const char*, std::vector<std::string>>> lost = {
      {"wav", {"license"}},
      {"flac", {}},
      {"ogg", {}},
      {"opus", {}},
      {"caf", {}},
      {"mp3", {"copyright", "license", "software"}},
      {"aiff", {"album", "date", "genre", "license", "tracknumber"}}};
  AudioFormat source;
  for (const char* tag : {"title", "artist", "album", "comment", "copyright", "genre", "license", "software"})
    source.tags[tag] = std::string("my ") + tag + " \xC3\xA9";
  source.tags["date"] = "2020-01-02";
  source.tags["tracknumber"] = "7";
  for (const auto& [extension, missing] : lost) {
    SCOPED_TRACE(extension);
    const fs::path path = file(std::string("x.") + extension);
    if (std::string(extension) == "mp3" && !can_write({.encoding = SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III}))
      continue;
    AudioWriter writer(path, fit_format(source, path), {.provenance = "made by reseda"});
    writer.write(tones(1, 2000, 16000));
    writer.commit();
    const AudioFormat format = AudioReader(path).info().format;
    const bool ascii = std::string(extension) == "aiff";
    for (const auto& [tag, given] : source.tags) {
      const std::string text = ascii && given.ends_with("\xC3\xA9") ? given.substr(0, given.size() - 2) + "?" : given;
      if (std::find(missing.begin(), missing.end(), tag) != missing.end()) continue;
      ASSERT_TRUE(format.tags.contains(tag)) << tag;
      EXPECT_EQ(format.tags.at(tag).substr(0, text.size()), text) << tag;
    }
    const std::string& made = format.tags.at(std::string(extension) == "mp3" ? "comment" : "software");
    EXPECT_NE(made.find("; made by reseda"), std::string::npos) << made;
  }
}

TEST_F(AudioTest, LongTagsAreCutAtACharacter) {
  AudioFormat format;
  format.encoding = SF_FORMAT_FLAC | SF_FORMAT_PCM_16;
  for (int i = 0; i < 5000; ++i) format.tags["comment"] += "\xC3\xA9";
  format.tags["comment"].insert(0, "a");
  write_audio(file("x.flac"), tones(1, 100, 16000), format);
  EXPECT_EQ(AudioReader(file("x.flac")).info().format.tags.at("comment").size(), 4095u);
}

TEST_F(AudioTest, BroadcastCartAndChannelMapAreKept) {
  SF_INFO info{};
  info.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
  info.channels = 1;
  info.samplerate = 16000;
  SNDFILE* made = sf_open(file("in.wav").c_str(), SFM_WRITE, &info);
  SF_BROADCAST_INFO bext{};
  std::snprintf(bext.description, sizeof(bext.description), "harbour, take 3");
  std::memcpy(bext.origination_date, "2019-05-06", sizeof(bext.origination_date));
  bext.time_reference_low = 123456;
  ASSERT_EQ(sf_command(made, SFC_SET_BROADCAST_INFO, &bext, sizeof(bext)), SF_TRUE);
  SF_CART_INFO cart{};
  std::snprintf(cart.title, sizeof(cart.title), "cart title");
  ASSERT_EQ(sf_command(made, SFC_SET_CART_INFO, &cart, sizeof(cart)), SF_TRUE);
  const std::vector<short> samples(100, 7);
  sf_write_short(made, samples.data(), 100);
  sf_close(made);

  AudioInfo first;
  write_audio(file("out.wav"), read_audio(file("in.wav"), &first), first.format);
  SNDFILE* back = sf_open(file("out.wav").c_str(), SFM_READ, &info);
  SF_BROADCAST_INFO bext2{};
  SF_CART_INFO cart2{};
  EXPECT_EQ(sf_command(back, SFC_GET_BROADCAST_INFO, &bext2, sizeof(bext2)), SF_TRUE);
  EXPECT_EQ(sf_command(back, SFC_GET_CART_INFO, &cart2, sizeof(cart2)), SF_TRUE);
  sf_close(back);
  EXPECT_STREQ(bext2.description, "harbour, take 3");
  EXPECT_EQ(std::string(bext2.origination_date, 10), "2019-05-06");
  EXPECT_EQ(bext2.time_reference_low, 123456u);
  EXPECT_STREQ(cart2.title, "cart title");

  AudioFormat surround{.channels = 6, .encoding = SF_FORMAT_WAVEX | SF_FORMAT_PCM_16};
  surround.channel_map = {SF_CHANNEL_MAP_LEFT, SF_CHANNEL_MAP_RIGHT,     SF_CHANNEL_MAP_CENTER,
                          SF_CHANNEL_MAP_LFE,  SF_CHANNEL_MAP_REAR_LEFT, SF_CHANNEL_MAP_REAR_RIGHT};
  write_audio(file("six.wav"), tones(6, 100, 16000), surround);
  EXPECT_EQ(AudioReader(file("six.wav")).info().format.channel_map, surround.channel_map);
}

TEST_F(AudioTest, LongWavBecomesRf64WithTheSameSamples) {
  for (const int subtype : {SF_FORMAT_PCM_16, SF_FORMAT_PCM_24, SF_FORMAT_FLOAT, SF_FORMAT_DOUBLE}) {
    AudioFormat format{.channels = 2, .encoding = SF_FORMAT_WAV | subtype, .tags = {{"title", "long"}}};
    const at::Tensor x = tones(2, 200'000, 16000) * 1.9;
    write_audio(file("short.wav"), x, format);
    AudioWriter writer(file("long.wav"), format, {.riff_limit_bytes = 500'000});
    writer.write(x.narrow(1, 0, 150'000));
    writer.write(x.narrow(1, 150'000, 50'000));
    EXPECT_EQ(writer.format().encoding, SF_FORMAT_RF64 | subtype);
    writer.commit();
    EXPECT_EQ(bytes_of(file("long.wav")).substr(0, 4), "RF64");
    AudioInfo info;
    EXPECT_TRUE(at::equal(read_audio(file("long.wav"), &info), read_audio(file("short.wav"))));
    EXPECT_EQ(info.format.tags.at("title"), "long");
    EXPECT_EQ(files_left(), 2u);
  }
  AudioWriter writer(file("long.aiff"), {.encoding = SF_FORMAT_AIFF | SF_FORMAT_PCM_16}, {.riff_limit_bytes = 1000});
  writer.write(tones(1, 200, 16000));
  expect_error(Errc::kOutput, "cannot hold more than 4 GiB; choose wav", [&] { writer.commit(); });
}

TEST_F(AudioTest, FormatsFollowTheExtension) {
  const auto fitted = [](int encoding, const char* name) {
    return fit_format({.sample_rate_hz = 16000, .channels = 1, .encoding = encoding}, name).encoding;
  };
  constexpr int kWav = SF_FORMAT_WAV, kFlac = SF_FORMAT_FLAC, kOgg = SF_FORMAT_OGG;
  EXPECT_EQ(fitted(kWav | SF_FORMAT_PCM_24, "a.WAV"), kWav | SF_FORMAT_PCM_24);
  EXPECT_EQ(fitted(kWav | SF_FORMAT_ULAW, "a.wav"), kWav | SF_FORMAT_ULAW);
  EXPECT_EQ(fitted(SF_FORMAT_WAVEX | SF_FORMAT_PCM_16, "a.wav"), SF_FORMAT_WAVEX | SF_FORMAT_PCM_16);
  EXPECT_EQ(fitted(kWav | SF_FORMAT_ULAW, "a.flac"), kFlac | SF_FORMAT_PCM_16);
  EXPECT_EQ(fitted(kWav | SF_FORMAT_PCM_U8, "a.flac"), kFlac | SF_FORMAT_PCM_S8);
  EXPECT_EQ(fitted(kWav | SF_FORMAT_FLOAT, "a.flac"), kFlac | SF_FORMAT_PCM_24);
  EXPECT_EQ(fitted(kFlac | SF_FORMAT_PCM_24, "dir/a.b.wav"), kWav | SF_FORMAT_PCM_24);
  EXPECT_EQ(fitted(kFlac | SF_FORMAT_PCM_S8, "a.wav"), kWav | SF_FORMAT_PCM_U8);
  EXPECT_EQ(fitted(kOgg | SF_FORMAT_OPUS, "a.wav"), kWav | SF_FORMAT_PCM_16);
  EXPECT_EQ(fitted(kOgg | SF_FORMAT_OPUS, "a.ogg"), kOgg | SF_FORMAT_OPUS);
  EXPECT_EQ(fitted(kOgg | SF_FORMAT_VORBIS, "a.opus"), kOgg | SF_FORMAT_OPUS);
  EXPECT_EQ(fitted(kWav | SF_FORMAT_DOUBLE, "a.w64"), SF_FORMAT_W64 | SF_FORMAT_DOUBLE);
  expect_error(Errc::kOutput, "a.txt: unknown audio extension 'txt', expected wav, flac",
               [&] { fitted(kWav, "a.txt"); });
  expect_error(Errc::kOutput, "a: unknown audio extension ''", [&] { fitted(kWav, "a"); });
  expect_error(Errc::kOutput, "a.opus: cannot write OGG (OGG Container format), Opus with 2 channels at 44100 Hz",
               [] { fit_format({.sample_rate_hz = 44100, .channels = 2}, "a.opus"); });
}

}  // namespace
}  // namespace reseda::io
