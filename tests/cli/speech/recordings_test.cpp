#include <ATen/ATen.h>
#include <sndfile.h>

#include <cmath>

#include "enhance_fixture.hpp"

namespace reseda::test {
namespace {

namespace fs = std::filesystem;

struct Kind {
  std::string name;
  std::int64_t rate_hz, channels;
  int encoding;
};

/// Every kind of recording comes back as what it was.
class EnhanceRecordings : public EnhanceCommand {};

TEST_F(EnhanceRecordings, KeepRateChannelsLengthEncodingAndTags) {
  const std::vector<Kind> kinds = {{"pcm16.wav", 16000, 1, SF_FORMAT_WAV | SF_FORMAT_PCM_16},
                                   {"pcm24.wav", 44100, 2, SF_FORMAT_WAV | SF_FORMAT_PCM_24},
                                   {"float.wav", 48000, 1, SF_FORMAT_WAV | SF_FORMAT_FLOAT},
                                   {"ulaw.wav", 8000, 1, SF_FORMAT_WAV | SF_FORMAT_ULAW},
                                   {"eight.wav", 16000, 8, SF_FORMAT_WAVEX | SF_FORMAT_PCM_16},
                                   {"fast.wav", 192000, 1, SF_FORMAT_WAV | SF_FORMAT_PCM_24},
                                   {"pcm16.flac", 22050, 2, SF_FORMAT_FLAC | SF_FORMAT_PCM_16},
                                   {"pcm24.flac", 96000, 1, SF_FORMAT_FLAC | SF_FORMAT_PCM_24},
                                   {"vorbis.ogg", 44100, 2, SF_FORMAT_OGG | SF_FORMAT_VORBIS},
                                   {"layer3.mp3", 44100, 2, SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III}};
  for (const Kind& kind : kinds) {
    io::AudioFormat format = mono(kind.rate_hz, kind.encoding);
    format.tags = {{"title", "A walk"}, {"artist", "Someone"}};
    const auto rate = static_cast<double>(kind.rate_hz);
    write("in/" + kind.name, made_recording(kind.rate_hz / 2 + 7, kind.channels, rate), format);
  }
  const Outcome outcome = enhance({text("in"), "-o", text("out")}, "random");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const Kind& kind : kinds) {
    SCOPED_TRACE(kind.name);
    io::AudioInfo before, after;
    const at::Tensor in = read("in/" + kind.name, &before), out = read("out/" + kind.name, &after);
    EXPECT_EQ(before.format.encoding & (SF_FORMAT_TYPEMASK | SF_FORMAT_SUBMASK), kind.encoding);
    EXPECT_EQ(after.format.encoding, before.format.encoding);
    EXPECT_EQ(after.format.sample_rate_hz, kind.rate_hz);
    EXPECT_EQ(after.format.channels, kind.channels);
    EXPECT_EQ(after.frames, before.frames);
    EXPECT_TRUE(at::isfinite(out).all().item<bool>());
    EXPECT_GT(largest(out - in), 1e-3);
    if (before.format.tags.count("title") == 0) continue;  // a container without tags
    EXPECT_EQ(after.format.tags["title"], "A walk");
    EXPECT_EQ(after.format.tags["artist"], "Someone");
    const std::string made = after.format.tags["software"] + after.format.tags["comment"];
    EXPECT_NE(made.find("speech enhance, model random"), std::string::npos) << made;
  }
}

TEST_F(EnhanceRecordings, AsShortAsOneSample) {
  for (const std::int64_t rate : {4000, 11025, 16000, 192000})
    for (const std::int64_t frames : {1, 2, 63, 127})
      write("in/" + std::to_string(rate) + "_" + std::to_string(frames) + ".wav",
            made_recording(frames, 1, static_cast<double>(rate)), mono(rate));
  const Outcome outcome = enhance({text("in"), "-o", text("out")}, "random");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const std::string& name : listing("in"))
    EXPECT_EQ(read("out/" + name).sizes(), read("in/" + name).sizes()) << name;
}

TEST_F(EnhanceRecordings, SilenceConstantAndFullScale) {
  const int floats = SF_FORMAT_WAV | SF_FORMAT_FLOAT;
  write("in/silent.wav", at::zeros({2, 9000}));
  write("in/constant.wav", at::full({1, 9000}, 0.25F), mono(4000, floats));
  write("in/loud.wav", made_recording(9000) * 40.0, mono(4000, floats));
  write("in/square.wav", made_recording(9000).sign());
  const Outcome outcome = enhance({text("in"), "-o", text("out"), "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const ConfigNode& line : json_lines(outcome.out)) {
    const ConfigNode* silent = line.find("facts")->find("silent");
    EXPECT_EQ(silent->scalar(), line.find("id")->scalar() == "silent.wav" ? "true" : "false");
  }
  EXPECT_EQ(largest(read("out/silent.wav")), 0.0);
  const at::Tensor middle = read("out/constant.wav").narrow(1, 1000, 7000);
  EXPECT_LT(largest(middle - 0.125), 1e-4);
  const at::Tensor loud = read("out/loud.wav").narrow(1, 0, 8900), loud_in = read("in/loud.wav").narrow(1, 0, 8900);
  EXPECT_GT(largest(loud), 1.0);  // float files have no limit
  EXPECT_LT(largest(loud - loud_in * 0.5), 1e-3);
  EXPECT_LT(largest(read("out/square.wav").narrow(1, 0, 8900) - read("in/square.wav").narrow(1, 0, 8900) * 0.5), 1e-3);
}

TEST_F(EnhanceRecordings, LongOnesGoThroughInChunksWithoutSeams) {
  const std::int64_t frames = 40 * 4000 + 123;
  write("in.wav", made_recording(frames), mono(4000, SF_FORMAT_WAV | SF_FORMAT_FLOAT));
  const at::Tensor half = read("in.wav") * 0.5;
  const Outcome outcome =
      enhance({text("in.wav"), "-o", text("out.wav"), "-s", "chunk_seconds=4", "-s", "overlap_seconds=1"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const at::Tensor out = read("out.wav");
  ASSERT_EQ(out.size(1), frames);
  EXPECT_LT(largest((out - half).narrow(1, 0, frames - 126)), 1e-5);

  // A sampler that draws noise: the field is that of the whole, so chunks hardly differ from no chunks.
  const std::vector<std::string> noisy = {"-s", "sampler.name=sb_sde", "-s", "sampler.steps=2"};
  std::vector<std::string> whole = {text("in.wav"), "-o", text("whole.wav"), "-s", "chunk_seconds=60"},
                           parts = {text("in.wav"), "-o", text("parts.wav"), "-s", "chunk_seconds=8"};
  whole.insert(whole.end(), noisy.begin(), noisy.end());
  parts.insert(parts.end(), noisy.begin(), noisy.end());
  ASSERT_EQ(enhance(whole, "random").code, 0);
  ASSERT_EQ(enhance(parts, "random").code, 0);
  const at::Tensor one = read("whole.wav"), many = read("parts.wav");
  const double difference = (one - many).square().mean().sqrt().item<double>(),
               size = one.square().mean().sqrt().item<double>();
  std::printf("chunks against whole: RMS difference %.3g of %.3g\n", difference, size);
  EXPECT_LT(difference, 1e-6 * size);
}

TEST_F(EnhanceRecordings, OfTenMinutesNeedLittleMemory) {
  const std::int64_t rate = 44100, frames = 600 * rate;  // 26 million samples: more than is held in memory
  const at::Tensor second = made_recording(rate, 1, static_cast<double>(rate));
  fs::create_directories(at("in/deep"));
  {
    io::AudioWriter writer(at("in/deep/long.flac"), io::fit_format(mono(rate), "long.flac"));
    for (int i = 0; i < 600; ++i) writer.write(second);
    writer.commit();
  }
  write("short.wav", made_recording(4000));
  const double least = enhance({text("short.wav"), "-o", text("short_out.wav")}).peak_mib;
  const Outcome outcome = enhance({"-r", text("in"), "-o", text("out"), "-q"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  io::AudioInfo info;
  EXPECT_EQ(io::AudioReader(at("out/deep/long.flac")).info().frames, frames);
  EXPECT_EQ(listing("out"), (std::set<std::string>{"deep", "deep/long.flac", "run.jsonl"}));
  std::printf("peak memory: %.0f MiB, %.0f MiB for one second\n", outcome.peak_mib, least);
  EXPECT_LT(outcome.peak_mib, least + 100);
}

}  // namespace
}  // namespace reseda::test
