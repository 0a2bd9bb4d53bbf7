#include <ATen/ATen.h>
#include <sndfile.h>

#include <cmath>
#include <cstdlib>
#include <optional>

#include "enhance_fixture.hpp"
#include "io/checkpoint/safetensors.hpp"
#include "io/record/sha256.hpp"
#include "pipelines/speech/enhancer.hpp"
#include "tests/pipelines/speech/official_file.hpp"

namespace reseda::test {
namespace {

namespace fs = std::filesystem;

constexpr int kWavFloat = SF_FORMAT_WAV | SF_FORMAT_FLOAT;

/// `reseda speech enhance --checkpoint`, the real program on files as the official training writes them.
class EnhanceCheckpoint : public EnhanceCommand {
 protected:
  EnhanceCheckpoint() : file(speech::tiny_official()) {
    at::manual_seed(11);
    ConfigNode network = ConfigNode::map();
    for (const auto& [key, value] : std::map<std::string, std::string>{
             {"name", "ncsnpp"}, {"nf", "4"}, {"ch_mult", "[1, 1, 1]"}, {"num_res_blocks", "1"}, {"image_size", "64"}})
      network.set(key, value);
    for (const auto& [name, tensor] : nets::make_network(network)->tensors()) {
      file.weights.emplace_back("dnn." + name, at::zeros_like(tensor));
      file.averages.push_back(tensor.detach() + 0.01 * at::randn(tensor.sizes()));
    }
  }

  void save(const std::string& name = "model.ckpt") const { write_text(name, file.bytes()); }
  Outcome run(const std::vector<std::string>& words) const {
    std::vector<std::string> all = {RESEDA_BIN_DIR "/reseda", "speech", "enhance", "--device", "cpu"};
    all.insert(all.end(), words.begin(), words.end());
    return RunningProgram(all).wait();
  }
  void refuse(int code, const std::string& line, const std::vector<std::string>& words) const {
    const auto before = listing();
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_EQ(outcome.err, "reseda-speech: " + line + "\n");
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(listing(), before);
  }
  /// With a checkpoint whose name is given, on in.wav.
  void refuse_file(const std::string& name, const std::string& line, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {text("in.wav"), "-o", text("out.wav"), "--checkpoint", text(name)});
    refuse(4, "checkpoint: " + text(name) + ": " + line, more);
  }

  speech::OfficialFile file;
};

double snr_db(const at::Tensor& expected, const at::Tensor& actual) {
  const double signal = expected.to(at::kDouble).square().sum().item<double>();
  const double error = (expected - actual).to(at::kDouble).square().sum().item<double>();
  return 10.0 * std::log10(signal / error);
}

/// A folder of the recorded cases of SGMSE+ that has the checkpoint.
std::optional<fs::path> recorded_cases() {
  std::vector<fs::path> roots = {fs::path(RESEDA_SOURCE_DIR) / "../shared/golden"};
  if (const char* listed = std::getenv("RESEDA_GOLDEN_DIRS")) {
    roots.clear();
    std::string folders = listed;
    for (std::size_t start = 0; start != std::string::npos;) {
      const std::size_t colon = folders.find(':', start);
      roots.emplace_back(folders.substr(start, colon - start));
      start = colon == std::string::npos ? colon : colon + 1;
    }
  }
  for (const fs::path& root : roots)
    for (const fs::path& folder : {root, root / "sgmse"})
      if (fs::exists(folder / "tiny_v1.ckpt") && fs::exists(folder / "script_enhancement.safetensors")) return folder;
  return std::nullopt;
}

TEST_F(EnhanceCheckpoint, OfTheOfficialTrainingGivesTheOfficialWave) {
  const std::optional<fs::path> cases = recorded_cases();
  if (!cases) GTEST_SKIP() << "the recorded checkpoint tiny_v1.ckpt is not in RESEDA_GOLDEN_DIRS";
  const StateDict recorded = io::read_safetensors(*cases / "script_enhancement.safetensors");
  const at::Tensor noisy = recorded.at("in.pcm16").to(at::kFloat).div(32768.0).unsqueeze(0);
  write("pcm.wav", noisy, mono(16000));
  write("float.wav", noisy, mono(16000, kWavFloat));
  for (const std::string name : {"pcm", "float"}) {
    const Outcome outcome =
        run({text(name + ".wav"), "-o", text(name + "_out.wav"), "--checkpoint", (*cases / "tiny_v1.ckpt").string(),
             "--rng", "torch", "--seed", "1234", "--set", "sampler.steps=5"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_NE(outcome.err.find("355 tensors match; from state_dict, prefix dnn., averages of ema/shadow_params"),
              std::string::npos)
        << outcome.err;
  }
  const at::Tensor samples = (read("pcm_out.wav").squeeze(0) * 32768.0).round().to(at::kInt);
  EXPECT_LE((samples - recorded.at("out.pcm16").to(at::kInt)).abs().max().item<int>(), 1);
  EXPECT_GE(snr_db(recorded.at("out.wav"), read("float_out.wav").squeeze(0)), 60.0);
}

TEST_F(EnhanceCheckpoint, UsesItsAveragesWithTheDrawsOfPython) {
  save();
  write("in.wav", made_recording(6000), mono(4000, kWavFloat));
  const Outcome outcome = run({text("in.wav"), "-o", text("out.wav"), "--checkpoint", text("model.ckpt"), "--rng",
                               "torch", "--seed", "9", "--set", "sampler.steps=3"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;

  // The same by hand, from a config written out.
  speech::SpeechModelConfig config;
  config.sample_rate = 4000;
  config.stft = {.n_fft = 126, .hop = 32, .window = "hann"};
  config.transform = {.type = "exponent", .exponent = 0.5, .factor = 0.15};
  config.padding = "zero";
  config.parametrization = {.backbone = "v1", .loss_type = "score_matching"};
  const auto set = [](ConfigNode& node, const std::map<std::string, std::string>& keys) {
    for (const auto& [key, value] : keys) node.set(key, value);
  };
  set(config.network,
      {{"name", "ncsnpp"}, {"nf", "4"}, {"ch_mult", "[1, 1, 1]"}, {"num_res_blocks", "1"}, {"image_size", "64"}});
  set(config.process, {{"name", "ou_ve"}, {"theta", "1.5"}, {"sigma_min", "0.04"}, {"sigma_max", "0.6"}});
  set(config.sampler, {{"name", "pc"}, {"steps", "3"}, {"snr", "0.5"}, {"t_eps", "0.03"}});
  speech::SpeechModel model(config);
  StateDict averages;
  for (std::size_t i = 0; i < file.weights.size(); ++i) averages.add(file.weights[i].first.substr(4), file.averages[i]);
  model.network().load(averages);
  TorchNoise noise(9);
  const speech::Enhancer enhancer(std::move(model), {}, c10::Device(c10::kCPU), noise, speech::NoiseLayout::kOfficial);
  const at::Tensor wave = read("in.wav");
  const at::Tensor expected = enhancer.enhance_whole(wave, wave.abs().max().item<double>(), "in.wav", {});
  EXPECT_GE(snr_db(expected, read("out.wav")), 90.0);
  EXPECT_LT(snr_db(wave, read("out.wav")), 60.0) << "the network must do something";
}

TEST_F(EnhanceCheckpoint, PrintsAConfigThatFeedsBack) {
  save();
  write("in.wav", made_recording(6000));
  const std::vector<std::string> words = {"--checkpoint", text("model.ckpt"), "--set", "sampler.steps=2"};
  std::vector<std::string> printing = words;
  printing.emplace_back("--print-config");
  const Outcome printed = run(printing);
  ASSERT_EQ(printed.code, 0) << printed.err;
  for (const char* part : {"steps: 2", "snr: 0.5", "name: ncsnpp", "sigma_max: 0.6", "average: prefer_ema"})
    EXPECT_NE(printed.out.find(part), std::string::npos) << part << "\n" << printed.out;
  write_text("mine.yaml", printed.out);
  EXPECT_EQ(run({"--checkpoint", text("model.ckpt"), "-c", text("mine.yaml"), "--print-config"}).out, printed.out);
}

TEST_F(EnhanceCheckpoint, TakesTheSamplerOfAPublishedConfig) {
  save();
  const Outcome printed = run({"--checkpoint", text("model.ckpt"), "-c", "speech/sgmse-wsj0-reverb", "--print-config"});
  ASSERT_EQ(printed.code, 0) << printed.err;
  EXPECT_NE(printed.out.find("snr: 0.33"), std::string::npos) << printed.out;
  EXPECT_NE(printed.out.find("steps: 50"), std::string::npos) << printed.out;
  EXPECT_NE(printed.out.find("sigma_max: 0.6"), std::string::npos) << "the file knows what it was trained with";
  EXPECT_NE(printed.err.find("the config is not that of this file, whose own hyper-parameters are used: "
                             "model.stft.n_fft 510 (file: 126)"),
            std::string::npos)
      << printed.err;
}

TEST_F(EnhanceCheckpoint, IsRefusedInOneLine) {
  write("in.wav", made_recording(6000));
  save();
  const std::string in = text("in.wav"), out = text("out.wav"), ckpt = text("model.ckpt");
  refuse(2, "usage: --model and --checkpoint cannot be given together",
         {in, "-o", out, "--checkpoint", ckpt, "--model", "reseda-16k"});
  refuse(2,
         "usage: config: the key 'checkpoint' describes an official checkpoint; give the file with --checkpoint FILE",
         {in, "-o", out, "-c", "speech/sgmse-vb-dmd"});
  refuse(2,
         "usage: config: unknown key 'checkpoint.weights.avrage' (--set checkpoint.weights.avrage); did you mean "
         "'checkpoint.weights.average'?",
         {in, "-o", out, "--checkpoint", ckpt, "-s", "checkpoint.weights.avrage=raw"});
  refuse_file("model.ckpt", "its SHA-256 is " + io::sha256_file(at("model.ckpt")) + ", that of mine is 00",
              {"-s", "checkpoint.sha256=00", "-s", "checkpoint.name=mine"});
  refuse_file("model.ckpt",
              "no list of averages 'other' is there; lists in the file: 'ema/shadow_params' (" +
                  std::to_string(file.averages.size()) + " tensors)",
              {"-s", "checkpoint.weights.average=other"});

  file.hyper_parameters.emplace_back("resblock_type", std::string("ddpm"));
  save();
  refuse_file("model.ckpt", "network.resblock_type must be biggan, got 'ddpm': no released model uses another");
  file.hyper_parameters.pop_back();
  file.hyper_parameters[0].second = std::string("dcunet");
  save();
  refuse_file("model.ckpt", "hyper-parameter backbone is 'dcunet', known are ncsnpp, ncsnpp_48k, ncsnpp_v2");

  file.hyper_parameters[0].second = std::string("ncsnpp");
  for (auto& [key, value] : file.hyper_parameters)
    if (key == "nf") value = std::int64_t{4096};
  save();
  refuse_file("model.ckpt", "describes a network far larger than the file, whose " +
                                std::to_string(fs::file_size(at("model.ckpt"))) + " bytes cannot hold its weights");
}

TEST_F(EnhanceCheckpoint, NeverRunsWhatAFileNames) {
  write("in.wav", made_recording(6000), mono(4000, kWavFloat));
  file.class_module = "posix";
  file.class_name = "system";
  save();
  refuse_file(
      "model.ckpt",
      "the file names the Python class 'posix.system', which is not among those that such files name; nothing "
      "was called (weights.classes takes it as one, and the file is read without what it holds) (here: --opaque)");
  const Outcome opaque = run(
      {text("in.wav"), "-o", text("out.wav"), "--checkpoint", text("model.ckpt"), "--opaque", "-s", "sampler.steps=1"});
  EXPECT_EQ(opaque.code, 0) << opaque.err;
}

}  // namespace
}  // namespace reseda::test
