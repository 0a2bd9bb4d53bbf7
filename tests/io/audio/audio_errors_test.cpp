#include <ATen/ATen.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sndfile.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "io/audio/audio_file.hpp"
#include "tests/io/audio/audio_fixture.hpp"

namespace reseda::io {
namespace {

/// Lets a standard stream point elsewhere while it lives.
class Redirect {
 public:
  Redirect(int stream, const fs::path& path, int flags) : stream_(stream), saved_(::dup(stream)) {
    const int file = ::open(path.c_str(), flags, 0644);
    ::dup2(file, stream);
    ::close(file);
  }
  ~Redirect() {
    ::dup2(saved_, stream_);
    ::close(saved_);
  }

 private:
  int stream_, saved_;
};

/// Caps the size of any file, as a full disk does.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit tight{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &tight);
  }
  ~SmallDisk() { ::setrlimit(RLIMIT_FSIZE, &old_); }

 private:
  rlimit old_{};
};

void expect_unreadable(const fs::path& path, const std::string& part) {
  expect_error(Errc::kInput, path.string() + ": " + part, [&] { read_audio(path); });
}

std::string little(std::uint32_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

/// A 16-bit WAV file by hand; `declared` is the size that its data chunk claims.
std::string wav(std::uint32_t channels, std::uint32_t rate, const std::string& data, std::uint32_t declared) {
  return "RIFF" + little(36 + declared, 4) + "WAVEfmt " + little(16, 4) + little(1, 2) + little(channels, 2) +
         little(rate, 4) + little(rate * channels * 2, 4) + little(channels * 2, 2) + little(16, 2) + "data" +
         little(declared, 4) + data;
}

TEST_F(AudioTest, SaysWhatIsWrongWithAFile) {
  expect_unreadable(file("absent.wav"), "cannot open: No such file or directory");
  expect_unreadable(folder_, "is a folder, expected an audio file");
  expect_unreadable("/dev/null", "is not a regular file");
  expect_unreadable(put("empty.wav", ""), "is empty (0 bytes), expected wav, flac, ogg, mp3");
  expect_unreadable(put("text.wav", "These are words, not samples, whatever the name says.\n"),
                    "is not an audio file that can be read, expected wav, flac, ogg, mp3");
  expect_unreadable(put("image.wav", "\x89PNG\r\n\x1a\n" + std::string(100, '\0')), "is not an audio file");
  expect_unreadable(put("riff.wav", "RIFF" + little(100, 4) + "AVI LIST" + std::string(90, 'x')),
                    "is not an audio file");
  expect_unreadable(put("head.wav", "RIFF" + little(100, 4) + "WAVE"), "cannot be decoded as audio: ");
  expect_unreadable(put("id3.mp3", "ID3" + std::string(200, '\3')), "cannot be decoded as audio: ");
}

TEST_F(AudioTest, RefusesAbsurdHeaders) {
  const std::string data(2000, '\1');
  EXPECT_EQ(read_audio(put("ok.wav", wav(1, 16000, data, 2000))).size(1), 1000);
  EXPECT_EQ(read_audio(put("wide.wav", wav(64, 192000, data.substr(0, 1280), 1280))).size(0), 64);
  expect_unreadable(put("x.wav", wav(65, 16000, data.substr(0, 1300), 1300)), "has 65 channels, expected 1 to 64");
  expect_unreadable(put("x.wav", wav(0, 16000, data, 2000)), "");
  expect_unreadable(put("x.wav", wav(1, 0, data, 2000)), "");
  expect_unreadable(put("x.wav", wav(1, 99, data, 2000)), "sample rate is 99 Hz, expected 100 to 768000");
  expect_unreadable(put("x.wav", wav(1, 768001, data, 2000)), "sample rate is 768001 Hz");
  expect_unreadable(put("x.wav", wav(1, 0xFFFFFFFFU, data, 2000)), "");
}

TEST_F(AudioTest, ZeroSamplesAreInfoNotAnError) {
  AudioReader reader(put("x.wav", wav(2, 16000, "", 0)));
  EXPECT_EQ(reader.info().frames, 0);
  EXPECT_EQ(reader.info().format.channels, 2);
  EXPECT_EQ(reader.read_all().sizes(), (at::IntArrayRef{2, 0}));
  write_audio(file("y.wav"), at::empty({2, 0}), reader.info().format);
  EXPECT_EQ(AudioReader(file("y.wav")).info().frames, 0);
  for (const char* name : {"y.flac", "y.opus"})
    expect_error(Errc::kOutput, "cannot hold zero samples", [&] {
      write_audio(file(name), at::empty({1, 0}), fit_format(AudioFormat{}, name));
    });
  EXPECT_EQ(files_left(), 2u);
}

TEST_F(AudioTest, CutDataIsAnErrorAndUnknownLengthIsNot) {
  const std::string data(2000, '\1');
  expect_unreadable(put("x.wav", wav(1, 16000, data, 2002)),
                    "is cut short: its header says 2002 bytes of samples, the file has 2000");
  for (const std::uint32_t unknown : {0xFFFFFFFFU, 0xFFFFFFDBU, 0x7FFFF000U, 0x7FFFFFFFU})
    EXPECT_EQ(read_audio(put("x.wav", wav(1, 16000, data, unknown))).size(1), 1000) << unknown;
  const std::vector<std::pair<std::string, int>> kinds = {
      {"rf64", SF_FORMAT_RF64 | SF_FORMAT_PCM_16}, {"w64", SF_FORMAT_W64 | SF_FORMAT_PCM_16},
      {"flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16}, {"ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS},
      {"opus", SF_FORMAT_OGG | SF_FORMAT_OPUS},    {"mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III},
      {"aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_16}, {"au", SF_FORMAT_AU | SF_FORMAT_PCM_16},
      {"caf", SF_FORMAT_CAF | SF_FORMAT_PCM_16}};
  for (const auto& kind : kinds) {
    const std::string cut = "cut." + kind.first;
    const AudioFormat format{.encoding = kind.second};
    if (!can_write(format)) continue;
    write_audio(file("whole"), tones(1, 100'000, 16000), format);
    const std::string whole = bytes_of(file("whole"));
    for (const double part : {0.3, 0.6, 0.9})
      expect_error(Errc::kInput, "cut short", [&] {
        read_audio(put(cut, whole.substr(0, static_cast<std::size_t>(static_cast<double>(whole.size()) * part))));
      });
    expect_error(Errc::kInput, "cut short", [&] { read_audio(put(cut, whole.substr(0, whole.size() - 2))); });
  }
}

TEST_F(AudioTest, NonFiniteSamplesAreNamedOrCounted) {
  at::Tensor x = at::zeros({2, 70'000});
  x[1][66'001] = std::numeric_limits<float>::quiet_NaN();
  x[0][69'000] = -std::numeric_limits<float>::infinity();
  SF_INFO info{};
  info.format = SF_FORMAT_WAV | SF_FORMAT_FLOAT;
  info.channels = 2;
  info.samplerate = 16000;
  SNDFILE* made = sf_open(file("nan.wav").c_str(), SFM_WRITE, &info);
  sf_writef_float(made, x.t().contiguous().data_ptr<float>(), 70'000);
  sf_close(made);
  expect_unreadable(file("nan.wav"), "sample is NaN at frame 66001, channel 1");
  AudioReader keeper(file("nan.wav"), NonFinite::kKeep);
  EXPECT_EQ(keeper.read_all().isfinite().logical_not().sum().item<std::int64_t>(), 2);
  EXPECT_EQ(keeper.non_finite_count(), 2);
  keeper.rewind();
  EXPECT_EQ(keeper.non_finite_count(), 0);
  AudioWriter writer(file("out.wav"), keeper.info().format);
  writer.write(x.narrow(1, 0, 66'000));
  expect_error(Errc::kNumeric, "sample to write is infinite at frame 69000, channel 0", [&] {
    x[1][66'001] = 0;
    writer.write(x.narrow(1, 66'000, 4'000));
  });
}

TEST_F(AudioTest, WriterNamesWhatItCannotDo) {
  const AudioFormat plain;
  expect_error(Errc::kOutput, "no/x.wav: cannot write: No such file or directory",
               [&] { AudioWriter(file("no/x.wav"), plain); });
  expect_error(Errc::kOutput, "/dev/full: cannot write: it is there and is not a regular file",
               [&] { AudioWriter("/dev/full", plain); });
  AudioFormat wide{.sample_rate_hz = 16000, .channels = 9, .encoding = SF_FORMAT_FLAC | SF_FORMAT_PCM_16};
  expect_error(Errc::kOutput,
               "x.flac: cannot write FLAC (Free Lossless Audio Codec), Signed 16 bit PCM with 9 channels at 16000 Hz",
               [&] { AudioWriter(file("x.flac"), wide); });
  AudioFormat none{.sample_rate_hz = 0};
  expect_error(Errc::kOutput, "with 1 channels at 0 Hz", [&] { AudioWriter(file("x.wav"), none); });
  EXPECT_EQ(files_left(), 0u);
}

TEST_F(AudioTest, WithoutCommitNothingIsLeftAndTheOldFileStays) {
  put("x.wav", "old");
  {
    AudioWriter writer(file("x.wav"), AudioFormat{});
    writer.write(tones(1, 1000, 16000));
    EXPECT_EQ(files_left(), 2u);
  }
  EXPECT_EQ(files_left(), 1u);
  EXPECT_EQ(bytes_of(file("x.wav")), "old");
}

TEST_F(AudioTest, FullDiskIsOneClearErrorForEveryKind) {
  const at::Tensor noise = at::sin(at::arange(300'000, at::kDouble).square() * 0.37).to(at::kFloat).unsqueeze(0);
  for (const char* name : {"x.wav", "x.flac", "x.ogg", "x.opus", "x.mp3", "x.aiff", "x.au", "x.caf", "x.w64"}) {
    SCOPED_TRACE(name);
    AudioFormat format;
    try {
      format = fit_format(format, name);
    } catch (const Error&) {
      EXPECT_STREQ(name, "x.mp3");
      continue;
    }
    const SmallDisk disk(20'000);
    expect_error(Errc::kOutput, std::string(name) + ": cannot write: File too large", [&] {
      AudioWriter writer(file(name), format);
      writer.write(noise);
      writer.commit();
    });
    EXPECT_EQ(files_left(), 0u);
  }
}

TEST_F(AudioTest, PipesCarryAnyKindInAndWavOut) {
  const at::Tensor x = tones(2, 30'000, 44100);
  AudioFormat format{.sample_rate_hz = 44100, .channels = 2, .encoding = SF_FORMAT_FLAC | SF_FORMAT_PCM_24};
  write_audio(file("in.flac"), x, format);
  {
    const Redirect in(STDIN_FILENO, file("in.flac"), O_RDONLY), out(STDOUT_FILENO, file("out"), O_WRONLY | O_CREAT);
    AudioReader reader("-");
    AudioWriter writer("-", reader.info().format);
    writer.write(reader.read_all());
    writer.commit();
  }
  AudioInfo info;
  EXPECT_TRUE(at::equal(read_audio(file("out"), &info), read_audio(file("in.flac"))));
  EXPECT_EQ(info.format.encoding, SF_FORMAT_WAV | SF_FORMAT_PCM_24);
  {
    const Redirect in(STDIN_FILENO, "/dev/null", O_RDONLY);
    expect_error(Errc::kInput, "standard input: is empty (0 bytes)", [] { AudioReader("-"); });
  }
  {
    const Redirect out(STDOUT_FILENO, "/dev/full", O_WRONLY);
    AudioWriter writer("-", AudioFormat{});
    writer.write(tones(1, 1000, 16000));
    expect_error(Errc::kOutput, "standard output: cannot write: No space left on device", [&] { writer.commit(); });
  }
}

}  // namespace
}  // namespace reseda::io
