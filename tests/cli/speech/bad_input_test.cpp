#include <ATen/ATen.h>
#include <sched.h>
#include <sndfile.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <limits>

#include "enhance_fixture.hpp"
#include "io/checkpoint/safetensors.hpp"
#include "modules/core/state_dict.hpp"

namespace reseda::test {
namespace {

namespace fs = std::filesystem;

constexpr int kWavFloat = SF_FORMAT_WAV | SF_FORMAT_FLOAT;

/// What is wrong with a recording, a model or the place of the output ends with one line, a code and nothing written.
class EnhanceBadInput : public EnhanceCommand {
 protected:
  /// The recording in.<ext> is refused with "input: PATH: " + what.
  void expect_bad(const std::string& name, const std::string& what) const {
    const auto before = listing();
    expect_refused(3, "input: " + text(name) + ": " + what,
                   {text(name), "-o", text("out" + at(name).extension().string())});
    EXPECT_EQ(listing(), before);
  }
  void cut(const std::string& name, double share) const {
    fs::resize_file(at(name), static_cast<std::uintmax_t>(share * static_cast<double>(fs::file_size(at(name)))));
  }
};

TEST_F(EnhanceBadInput, FilesThatAreNoRecording) {
  const std::string expected = ", expected wav, flac, ogg, mp3, aiff, au, caf or w64";
  write_text("empty.wav", "");
  expect_bad("empty.wav", "is empty (0 bytes)" + expected);
  write_text("letter.wav", "Dear reader, this is a letter.\n");
  expect_bad("letter.wav", "is not an audio file that can be read" + expected);
  write("none.wav", at::zeros({1, 0}));
  expect_bad("none.wav", "holds no samples");
}

TEST_F(EnhanceBadInput, TruncatedFiles) {
  const at::Tensor wave = made_recording(40000);
  write("cut.wav", wave);
  cut("cut.wav", 0.5);
  const auto left = static_cast<std::int64_t>(fs::file_size(at("cut.wav"))) - 44;
  expect_bad("cut.wav", "is cut short: its header says 80000 bytes of samples, the file has " + std::to_string(left));
  write("cut.ogg", wave);
  cut("cut.ogg", 0.5);
  expect_bad("cut.ogg", "is cut short: its last Ogg page is incomplete");
  write("cut.flac", wave);
  cut("cut.flac", 0.5);
  const auto before = listing();
  const Outcome outcome = enhance({text("cut.flac"), "-o", text("out.flac")});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(outcome.err.find("reseda-speech: input: " + text("cut.flac") + ": "), 0U) << outcome.err;
  EXPECT_NE(outcome.err.find("cut short"), std::string::npos) << outcome.err;
  EXPECT_EQ(listing(), before);
}

TEST_F(EnhanceBadInput, SamplesThatAreNoNumbers) {
  for (const bool infinite : {false, true}) {
    at::Tensor wave = made_recording(6000, 2);
    wave[1][1234] = infinite ? -std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
    // The library refuses to write such a file; so the value is put into a good one.
    at::Tensor good = wave.clone();
    good[1][1234] = 0.0F;
    write("in.wav", good, mono(4000, kWavFloat));
    std::string bytes = bytes_of(at("in.wav"));
    const float value = wave[1][1234].item<float>();
    const std::size_t at_sample = bytes.find("data") + 8 + (1234 * 2 + 1) * sizeof(float);
    bytes.replace(at_sample, sizeof value, reinterpret_cast<const char*>(&value), sizeof value);
    write_text("in.wav", bytes);
    expect_bad("in.wav", std::string("sample is ") + (infinite ? "infinite" : "NaN") + " at frame 1234, channel 1");
  }
}

TEST_F(EnhanceBadInput, MissingUnreadableAndFolders) {
  expect_bad("absent.wav", "no such file or folder");
  fs::create_directories(at("sounds"));
  const Outcome empty = enhance({text("sounds"), "-o", text("out")});
  EXPECT_EQ(empty.code, 3);
  EXPECT_NE(empty.err.find(text("sounds")), std::string::npos) << empty.err;
  EXPECT_FALSE(fs::exists(at("out")));
}

TEST_F(EnhanceBadInput, WithoutPermission) {
  if (!can_obey_permissions()) GTEST_SKIP() << "root's power to ignore permissions cannot be given up here";
  write("in.wav", made_recording(4000));
  ::chmod(at("in.wav").c_str(), 0);
  const Surroundings obeying{.without_powers = true};
  expect_refused(3, "input: " + text("in.wav") + ": cannot read: Permission denied",
                 {text("in.wav"), "-o", text("out.wav")}, "half", obeying);
  ::chmod(at("in.wav").c_str(), 0644);
  fs::create_directories(at("locked"));
  ::chmod(at("locked").c_str(), 0555);
  expect_refused(5, "output: " + text("locked/out.wav") + ": cannot write: Permission denied",
                 {text("in.wav"), "-o", text("locked/out.wav")}, "half", obeying);
  ::chmod(at("locked").c_str(), 0755);
  EXPECT_EQ(listing(), (std::set<std::string>{"in.wav", "locked"}));
}

TEST_F(EnhanceBadInput, FilesThatMayNotGrow) {
  write("short.wav", made_recording(60000));
  const Surroundings small{.file_size_limit = 32768};
  expect_refused(5, "output: " + text("out.wav") + ": cannot write: File too large",
                 {text("short.wav"), "-o", text("out.wav")}, "half", small);
  // Longer than what is held in memory: written while it is read. Silence needs no network.
  write("long.wav", at::zeros({1, (16 << 20) + 1}), mono(4000, SF_FORMAT_WAV | SF_FORMAT_PCM_U8));
  expect_refused(5, "output: " + text("out.wav") + ": cannot write: File too large",
                 {text("long.wav"), "-o", text("out.wav")}, "half", small);
  EXPECT_EQ(listing(), (std::set<std::string>{"short.wav", "long.wav"}));
}

TEST_F(EnhanceBadInput, FullDisk) {
  fs::create_directories(at("disk"));
  // A mount of this process alone: it ends with it.
  const bool mounted = ::unshare(CLONE_NEWNS) == 0 &&
                       ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                       ::mount("tmpfs", at("disk").c_str(), "tmpfs", 0, "size=64k") == 0;
  if (!mounted) GTEST_SKIP() << "a small file system cannot be mounted here";
  write("in.wav", made_recording(60000));
  const Outcome outcome = enhance({text("in.wav"), "-o", text("disk/")});
  EXPECT_EQ(outcome.code, 5);
  EXPECT_EQ(outcome.err, "reseda-speech: output: " + text("disk/in.wav") + ": cannot write: No space left on device\n");
  EXPECT_EQ(listing("disk"), (std::set<std::string>{"run.jsonl"}));
  ::umount2(at("disk").c_str(), MNT_DETACH);
}

TEST_F(EnhanceBadInput, OutputsThatExist) {
  write("in.wav", made_recording(4000));
  write_text("out.wav", "precious");
  const auto before = listing();
  const std::vector<std::string> words = {text("in.wav"), "-o", text("out.wav")};
  expect_refused(5,
                 "output: " + text("out.wav") +
                     ": exists and was not written by this program, or was changed since; --overwrite replaces it",
                 words);
  EXPECT_EQ(bytes_of(at("out.wav")), "precious");
  expect_refused(5,
                 "output: " + text("in.wav") + ": would overwrite the input " + text("in.wav") +
                     "; give another folder with -o, or a --suffix",
                 {text("in.wav"), "-o", text("in.wav"), "--overwrite"});
  EXPECT_EQ(listing(), before);
  EXPECT_EQ(enhance({text("in.wav"), "-o", text("out.wav"), "--overwrite"}).code, 0);
  EXPECT_EQ(read("out.wav").size(1), 4000);
}

TEST_F(EnhanceBadInput, OutputsThatCannotBe) {
  write("in.wav", made_recording(4000));
  expect_refused(5,
                 "output: " + text("out.xyz") +
                     ": unknown audio extension 'xyz', expected wav, flac, ogg, opus, mp3, aiff, au, caf, w64 or rf64",
                 {text("in.wav"), "-o", text("out.xyz")});
  const Outcome inside_a_file = enhance({text("in.wav"), "-o", text("in.wav/out.wav")});
  EXPECT_EQ(inside_a_file.code, 5) << inside_a_file.err;
  EXPECT_EQ(listing(), (std::set<std::string>{"in.wav"}));
}

TEST_F(EnhanceBadInput, MisspeltKeys) {
  write("in.wav", made_recording(4000));
  write_text("my.yaml", "# mine\nmix: 0.5\nchunk_secnds: 4\n");
  const auto before = listing();
  const std::string in = text("in.wav"), out = text("out.wav");
  expect_refused(2,
                 "usage: config: unknown key 'chunk_secnds' (" + text("my.yaml") + ":3); did you mean 'chunk_seconds'?",
                 {in, "-o", out, "-c", text("my.yaml")});
  expect_refused(2, "usage: config: unknown key 'sampler.stps' (--set sampler.stps); did you mean 'sampler.steps'?",
                 {in, "-o", out, "--set", "sampler.name=bridge_ddim", "--set", "sampler.stps=3"});
  expect_refused(2, "usage: --mix must be <= 1, got 2", {in, "-o", out, "--mix", "2"});
  expect_refused(2, "usage: enhance.chunk_seconds must be 1 to 3600, got 0.5",
                 {in, "-o", out, "-s", "chunk_seconds=0.5"});
  EXPECT_EQ(listing(), before);
}

TEST_F(EnhanceBadInput, ModelsThatDoNotFit) {
  write("in.wav", made_recording(4000));
  const std::string in = text("in.wav"), out = text("out.wav"), other = text("other.safetensors");
  const std::vector<std::string> words = {in, "-o", out};

  StateDict weights;
  weights.add("a", at::zeros({4}));
  io::write_safetensors(weights, other);
  expect_refused(4, "checkpoint: " + other + ": not a reseda speech model (metadata 'reseda.speech' is missing)", words,
                 other);

  // The configuration of one network with the weights of another.
  StateDict mixed = io::read_safetensors(command({}).at(4)), changed;
  for (const auto& [name, tensor] : mixed.entries()) changed.add(name, name == "head.bias" ? at::zeros({5}) : tensor);
  changed.metadata = mixed.metadata;
  io::write_safetensors(changed, other);
  const Outcome wrong_shape = enhance(words, other);
  EXPECT_EQ(wrong_shape.code, 4);
  EXPECT_EQ(wrong_shape.err.find("reseda-speech: checkpoint: " + other + ": "), 0U) << wrong_shape.err;
  EXPECT_NE(wrong_shape.err.find("head.bias"), std::string::npos) << wrong_shape.err;

  cut("other.safetensors", 0.7);
  const Outcome truncated = enhance(words, other);
  EXPECT_EQ(truncated.code, 4);
  EXPECT_NE(truncated.err.find("truncated"), std::string::npos) << truncated.err;
  const Outcome sound = enhance(words, in);  // a recording is no model
  EXPECT_EQ(sound.code, 4) << sound.err;
  const Outcome absent = enhance(words, text("absent.safetensors"));
  EXPECT_NE(absent.err.find("model '" + text("absent.safetensors") + "': no such file"), std::string::npos)
      << absent.err;
  EXPECT_TRUE(absent.code == 3 || absent.code == 4) << absent.code;
  EXPECT_EQ(listing(), (std::set<std::string>{"in.wav", "other.safetensors"}));
}

}  // namespace
}  // namespace reseda::test
