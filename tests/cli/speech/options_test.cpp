#include <ATen/ATen.h>
#include <sndfile.h>

#include <cmath>
#include <cstdlib>
#include <utility>

#include "enhance_fixture.hpp"

namespace reseda::test {
namespace {

namespace fs = std::filesystem;

constexpr int kWavFloat = SF_FORMAT_WAV | SF_FORMAT_FLOAT;

class EnhanceOptions : public EnhanceCommand {};

TEST_F(EnhanceOptions, PipesCarryOneRecording) {
  write("in.wav", made_recording(9000, 2));
  ASSERT_EQ(enhance({text("in.wav"), "-o", text("file.wav")}, "random").code, 0);
  const Surroundings fed{.standard_input = at("in.wav")};
  const Outcome through = enhance({"-"}, "random", fed);
  EXPECT_EQ(through.code, 0) << through.err;
  EXPECT_EQ(through.err, "");
  EXPECT_EQ(through.out, bytes_of(at("file.wav")));  // this sampler draws no noise, so the name does not matter
  const Outcome to_pipe = enhance({text("in.wav"), "-o", "-"}, "random");
  EXPECT_EQ(to_pipe.out, bytes_of(at("file.wav"))) << to_pipe.err;
  const Outcome from_pipe = enhance({"-", "-o", text("piped.wav")}, "random", fed);
  EXPECT_EQ(from_pipe.code, 0) << from_pipe.err;
  EXPECT_EQ(bytes_of(at("piped.wav")), bytes_of(at("file.wav")));

  write("in.flac", made_recording(9000), mono(16000, SF_FORMAT_FLAC | SF_FORMAT_PCM_24));
  const Outcome flac = enhance({text("in.flac"), "-o", "-"});
  write_text("flac.wav", flac.out);
  io::AudioInfo info;
  EXPECT_EQ(read("flac.wav", &info).size(1), 9000) << flac.err;
  EXPECT_EQ(info.format.encoding, SF_FORMAT_WAV | SF_FORMAT_PCM_24);
}

TEST_F(EnhanceOptions, PipesNameTheirEnds) {
  write_text("letter", "Dear reader, this is a letter.\n");
  const std::string expected = "expected wav, flac, ogg, mp3, aiff, au, caf or w64";
  expect_refused(3, "input: standard input: is not an audio file that can be read, " + expected, {"-"}, "half",
                 {.standard_input = at("letter")});
  expect_refused(3, "input: standard input is empty", {"-", "-o", text("out.wav")});
  expect_refused(2, "usage: --json and the result cannot both go to standard output; use -o FILE", {"-", "--json"});
  EXPECT_EQ(listing(), (std::set<std::string>{"letter"}));
}

TEST_F(EnhanceOptions, DryRunWritesNothing) {
  for (const char* name : {"in/a.wav", "in/deep/b.wav"}) write(name, made_recording(4000));
  const auto before = listing();
  const Outcome outcome = enhance({"-r", text("in"), "-o", text("out"), "--dry-run"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "to do  " + text("in/a.wav") + " -> " + text("out/a.wav") + "\nto do  " +
                             text("in/deep/b.wav") + " -> " + text("out/deep/b.wav") + "\n2 items: 0 done, 2 to do\n");
  EXPECT_EQ(listing(), before);
}

TEST_F(EnhanceOptions, JsonHasTheFacts) {
  write("in/a.wav", made_recording(8000, 2, 8000), mono(8000));
  write_text("in/b.wav", "no sound");
  const Outcome outcome = enhance({text("in"), "-o", text("out"), "--json"});
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  std::vector<ConfigNode> lines = json_lines(outcome.out);  // as they end: a failure may come first
  ASSERT_EQ(lines.size(), 2U);
  const auto of = [](const ConfigNode& node, const char* key) {
    return node.find(key) ? node.find(key)->scalar() : "absent";
  };
  if (of(lines[0], "id") == "b.wav") std::swap(lines[0], lines[1]);
  EXPECT_EQ(of(lines[0], "id"), "a.wav");
  EXPECT_EQ(of(lines[0], "output"), text("out/a.wav"));
  EXPECT_EQ(of(lines[0], "status"), "done");
  EXPECT_EQ(of(lines[0], "output_sha256").size(), 64U);
  ASSERT_NE(lines[0].find("facts"), nullptr);
  const ConfigNode& facts = *lines[0].find("facts");
  EXPECT_EQ(of(facts, "audio_seconds"), "1");
  EXPECT_EQ(of(facts, "sample_rate_hz"), "8000");
  EXPECT_EQ(of(facts, "channels"), "2");
  EXPECT_EQ(of(facts, "network_calls"), "1");
  EXPECT_EQ(of(facts, "silent"), "false");
  EXPECT_EQ(of(facts, "clipped_samples"), "0");
  EXPECT_GT(std::strtod(of(facts, "compute_seconds").c_str(), nullptr), 0.0);
  EXPECT_EQ(of(lines[1], "status"), "failed");
  EXPECT_EQ(of(lines[1], "code"), "input");
}

TEST_F(EnhanceOptions, MixOfNothingIsTheInput) {
  write("in/pcm16.wav", made_recording(9000, 2), mono(4000));
  write("in/float.wav", made_recording(70001, 1, 44100), mono(44100, kWavFloat));
  write("in/pcm24.flac", made_recording(70001, 1, 16000), mono(16000, SF_FORMAT_FLAC | SF_FORMAT_PCM_24));
  const Outcome outcome = enhance(
      {text("in"), "-o", text("out"), "--mix", "0", "-s", "chunk_seconds=1", "-s", "overlap_seconds=0.5"}, "random");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const std::string& name : listing("in")) EXPECT_TRUE(at::equal(read("in/" + name), read("out/" + name))) << name;
}

TEST_F(EnhanceOptions, MixAndAttenuationLimitAddTheInputInTime) {
  write("in.wav", made_recording(50001, 1, 16000), mono(16000, kWavFloat));
  const at::Tensor dry = read("in.wav");
  const auto enhanced = [&](const std::string& name, std::vector<std::string> more) {
    more.insert(more.begin(), {text("in.wav"), "-o", text(name)});
    const Outcome outcome = enhance(more, "random");
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return read(name);
  };
  const at::Tensor wet = enhanced("wet.wav", {});
  ASSERT_GT(largest(wet - dry), 0.01);
  EXPECT_LT(largest(enhanced("mix.wav", {"--mix", "0.75"}) - (dry * 0.25 + wet * 0.75)), 1e-6);
  const double floor = std::pow(10.0, -12.0 / 20.0);
  EXPECT_LT(largest(enhanced("limit.wav", {"--attenuation-limit", "12"}) - (dry * floor + wet * (1 - floor))), 1e-6);
  // Of the two, the one that leaves more of the input counts.
  const at::Tensor both = enhanced("both.wav", {"--attenuation-limit", "12", "--mix", "0.5"});
  EXPECT_LT(largest(both - (dry + wet) * 0.5), 1e-6);
}

TEST_F(EnhanceOptions, PrintedConfigFeedsBack) {
  write("in.wav", made_recording(9000));
  const std::vector<std::string> choices = {"--mix", "0.75", "-s", "sampler.name=sb_sde", "-s", "sampler.steps=3"};
  std::vector<std::string> printing = choices;
  printing.emplace_back("--print-config");
  const Outcome printed = enhance(printing, "random");
  ASSERT_EQ(printed.code, 0) << printed.err;
  write_text("mine.yaml", printed.out);
  EXPECT_EQ(enhance({"-c", text("mine.yaml"), "--print-config"}, "random").out, printed.out);
  std::vector<std::string> direct = choices;
  direct.insert(direct.end(), {text("in.wav"), "-o", text("direct.wav")});
  ASSERT_EQ(enhance(direct, "random").code, 0);
  ASSERT_EQ(enhance({"-c", text("mine.yaml"), text("in.wav"), "-o", text("fed.wav")}, "random").code, 0);
  EXPECT_EQ(bytes_of(at("fed.wav")), bytes_of(at("direct.wav")));
}

TEST_F(EnhanceOptions, ThreadsAgreeAndSeedsDiffer) {
  write("in.wav", made_recording(20000), mono(4000, kWavFloat));
  const auto enhanced = [&](const std::string& name, const std::string& threads, const std::string& seed) {
    const Outcome outcome = enhance({text("in.wav"), "-o", text(name), "--threads", threads, "--seed", seed, "-s",
                                     "sampler.name=sb_sde", "-s", "sampler.steps=3"},
                                    "random");
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return read(name);
  };
  const at::Tensor one = enhanced("one.wav", "1", "5");
  const double difference = largest(enhanced("two.wav", "2", "5") - one);
  std::printf("threads 1 against 2: largest difference %.3g of %.3g\n", difference, largest(one));
  EXPECT_LT(difference, 1e-5 * largest(one));
  EXPECT_GT(largest(enhanced("seed.wav", "1", "6") - one), 1e-3 * largest(one));
}

}  // namespace
}  // namespace reseda::test
