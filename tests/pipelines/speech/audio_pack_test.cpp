#include "pipelines/speech/audio_pack.hpp"

#include <algorithm>

#include "io/audio/audio_file.hpp"
#include "io/checkpoint/safetensors.hpp"
#include "tests/pipelines/speech/speech_fixture.hpp"

namespace reseda::speech {
namespace {

namespace fs = std::filesystem;

class AudioPack : public testing::Test {
 protected:
  /// Writes [C, n] as 16-bit WAV below the test's folder.
  void write(const std::string& name, const at::Tensor& wave, std::int64_t rate = 16000) const {
    const fs::path file = folder / name;
    fs::create_directories(file.parent_path());
    io::AudioFormat format;
    format.sample_rate_hz = rate;
    format.channels = wave.size(0);
    io::write_audio(file, wave, format);
  }
  void write_level(const std::string& name, double level, std::int64_t samples = 100) const {
    write(name, at::full({1, samples}, level, at::kFloat));
  }
  PackedAudio packed(const TrainingSources& sources, std::int64_t hold_out = 0) const {
    make_pack(sources, 16000, pack(), {});
    return read_pack(pack(), hold_out);
  }
  fs::path pack() const { return folder / "pack.safetensors"; }

  TestFolder folder;
};

/// The first sample of every recording, in 1/32768.
std::vector<int> firsts(const Recordings& recordings) {
  std::vector<int> out;
  for (const at::Tensor& wave : recordings.waves) out.push_back(wave[0].item<int>());
  return out;
}

TEST_F(AudioPack, KeepsTheSamplesOfEveryKind) {
  const at::Tensor values = at::tensor({-1.0F, -0.5F, 0.0F, 1.0F / 32768, 0.25F}).unsqueeze(0);
  write("speech/a/one.wav", values);
  write("speech/two.wav", at::cat({values, at::zeros({1, 5})}));  // stereo becomes the mean
  write_level("hum/n.wav", 0.125, 30);
  write_level("rir/r.wav", 0.5, 7);
  const PackedAudio audio = packed({{{folder / "speech", 1}}, {{folder / "hum", 1}}, {{folder / "rir", 1}}});
  const TrainingAudio& training = audio.training;
  ASSERT_EQ(training.clean.waves.size(), 2U);
  EXPECT_TRUE(at::equal(training.clean.waves[0], at::tensor({-32768, -16384, 0, 1, 8192}).to(at::kShort)));
  EXPECT_EQ(training.clean.waves[1][1].item<int>(), -8192);
  EXPECT_EQ(training.noise.waves.at(0).numel(), 30);
  EXPECT_EQ(training.rooms.waves.at(0)[6].item<int>(), 16384);
  EXPECT_EQ(audio.clean_samples, 10);
  EXPECT_EQ(audio.noise_samples, 30);
  EXPECT_TRUE(audio.validation.clean.waves.empty());
  EXPECT_EQ(audio.validation.rooms.waves.size(), 1U) << "rooms serve both";
}

TEST_F(AudioPack, ResamplesToTheModelsRate) {
  write("speech/a.wav", made_speech(8000, 8000).unsqueeze(0), 8000);
  write_level("hum/n.wav", 0.1);
  const PackedAudio audio = packed({{{folder / "speech", 1}}, {{folder / "hum", 1}}, {}});
  EXPECT_EQ(audio.training.clean.waves.at(0).numel(), 16000);
}

TEST_F(AudioPack, CarriesTheWeightsOfTheFolders) {
  write_level("a/x.wav", 0.1);
  write_level("b/x.wav", 0.2);
  write_level("hum/n.wav", 0.3);
  const PackedAudio audio = packed({{{folder / "a", 2.5}, {folder / "b", 1}}, {{folder / "hum", 0.125}}, {}});
  EXPECT_EQ(audio.training.clean.weights, (std::vector<double>{2.5, 1}));
  EXPECT_EQ(audio.training.noise.weights, (std::vector<double>{0.125}));
}

TEST_F(AudioPack, KeepsFoldersOfOneNameApart) {
  write_level("one/train/x.wav", 0.25);
  write_level("two/train/x.wav", 0.5);
  write_level("hum/n.wav", 0.1);
  const PackedAudio audio = packed({{{folder / "one/train", 1}, {folder / "two/train", 1}}, {{folder / "hum", 1}}, {}});
  EXPECT_EQ(firsts(audio.training.clean), (std::vector<int>{8192, 16384}));
}

TEST_F(AudioPack, HoldsOutEveryNthRecordingOfEachFolder) {
  for (int i = 0; i < 7; ++i) write_level("a/" + std::to_string(i) + ".wav", i / 32.0);
  for (int i = 0; i < 2; ++i) write_level("b/" + std::to_string(i) + ".wav", (10 + i) / 32.0);
  for (int i = 0; i < 3; ++i) write_level("hum/" + std::to_string(i) + ".wav", (20 + i) / 32.0);
  write_level("rir/r.wav", 0.5);
  const PackedAudio audio =
      packed({{{folder / "a", 1}, {folder / "b", 1}}, {{folder / "hum", 1}}, {{folder / "rir", 1}}}, 3);
  const auto levels = [](const std::vector<int>& steps) {
    std::vector<int> out;
    for (const int step : steps) out.push_back(step * 1024);
    return out;
  };
  EXPECT_EQ(firsts(audio.validation.clean), levels({2, 5}));
  EXPECT_EQ(firsts(audio.training.clean), levels({0, 1, 3, 4, 6, 10, 11}));
  EXPECT_EQ(firsts(audio.validation.noise), levels({22}));
  EXPECT_EQ(audio.training.rooms.waves.size(), 1U);
}

TEST_F(AudioPack, LeavesOutWhatDoesNotDecode) {
  const Quiet quiet;
  write_level("speech/good.wav", 0.25);
  std::ofstream(folder / "speech/broken.wav", std::ios::binary) << "RIFF\x10";
  std::ofstream(folder / "speech/text.flac") << "no audio at all";
  std::ofstream(folder / "speech/notes.txt") << "not looked at";
  write_level("hum/n.wav", 0.1);
  const PackedAudio audio = packed({{{folder / "speech", 1}}, {{folder / "hum", 1}}, {}});
  EXPECT_EQ(firsts(audio.training.clean), (std::vector<int>{8192}));
}

TEST_F(AudioPack, KeepsAPackOfTheSameSources) {
  write_level("speech/a.wav", 0.25);
  write_level("hum/n.wav", 0.1);
  const TrainingSources sources{{{folder / "speech", 1}}, {{folder / "hum", 1}}, {}};
  int decoded = 0;
  const ProgressSink count = [&](const Progress&) { return ++decoded > 0; };
  make_pack(sources, 16000, pack(), count);
  EXPECT_EQ(decoded, 2);
  make_pack(sources, 16000, pack(), count);
  EXPECT_EQ(decoded, 2) << "the pack was there";
  make_pack(sources, 8000, pack(), count);
  EXPECT_EQ(decoded, 4) << "another rate";
  write_level("speech/b.wav", 0.25);
  make_pack(sources, 8000, pack(), count);
  EXPECT_EQ(decoded, 7) << "another file";
}

TEST_F(AudioPack, StopsWhenAskedTo) {
  write_level("speech/a.wav", 0.25);
  write_level("speech/b.wav", 0.25);
  const TrainingSources sources{{{folder / "speech", 1}}, {}, {}};
  expect_error(Errc::kInterrupted, "stopped while decoding",
               [&] { make_pack(sources, 16000, pack(), [](const Progress&) { return false; }); });
  EXPECT_FALSE(fs::exists(pack()));
}

TEST_F(AudioPack, RefusesFoldersWithoutRecordings) {
  fs::create_directories(folder / "empty");
  expect_error(Errc::kInput, "missing: not a folder of recordings", [&] {
    make_pack({{{folder / "missing", 1}}, {}, {}}, 16000, pack(), {});
  });
  expect_error(Errc::kInput, "empty: holds no wav", [&] {
    make_pack({{{folder / "empty", 1}}, {}, {}}, 16000, pack(), {});
  });
}

TEST_F(AudioPack, RefusesAnotherFilesTensors) {
  StateDict other;
  other.add("some.weight", at::zeros({2, 2}));
  io::write_safetensors(other, pack());
  expect_error(Errc::kCheckpoint, "'some.weight' is not a packed recording", [&] { read_pack(pack(), 0); });
}

TEST_F(AudioPack, ReadsFoldersWithWeights) {
  EXPECT_EQ(parse_source("speech").folder, "speech");
  EXPECT_EQ(parse_source("speech").weight, 1.0);
  EXPECT_EQ(parse_source("a/b:2.5").folder, "a/b");
  EXPECT_EQ(parse_source("a/b:2.5").weight, 2.5);
  for (const char* text : {"a:0", "a:-1", "a:x", "a:", "a:1e9", "a:2 ", "a:nan"})
    expect_error(Errc::kUsage, "weight after the colon", [&] { parse_source(text); });
  fs::create_directories(folder / "odd:name");
  EXPECT_EQ(parse_source((folder / "odd:name").string()).weight, 1.0);
}

}  // namespace
}  // namespace reseda::speech
