#include "pipelines/speech/checkpoint_model.hpp"

#include "io/checkpoint/safetensors.hpp"
#include "io/record/yaml.hpp"
#include "pipelines/speech/enhancer.hpp"
#include "tests/pipelines/speech/official_file.hpp"
#include "tests/pipelines/speech/speech_fixture.hpp"

namespace reseda::speech {
namespace {

namespace fs = std::filesystem;

ConfigNode yaml(const std::string& text) { return io::parse_yaml(text, "test"); }

/// A tiny official model with known weights: every raw value is 0.25, every average 0.5 plus its index in thousandths.
class OfficialCheckpoint : public testing::Test {
 protected:
  OfficialCheckpoint() : file(tiny_official()) {
    ConfigNode network = yaml("{name: ncsnpp, nf: 4, ch_mult: [1, 1, 1], num_res_blocks: 1, image_size: 64}");
    for (const auto& [name, tensor] : nets::make_network(network)->tensors()) {
      file.weights.emplace_back("dnn." + name, at::full(tensor.sizes(), 0.25F));
      file.averages.push_back(at::full(tensor.sizes(), 0.5 + 0.001 * static_cast<double>(file.averages.size())));
    }
  }
  fs::path saved() const {
    std::ofstream(folder / "model.ckpt", std::ios::binary) << file.bytes();
    return folder / "model.ckpt";
  }
  /// The messages have the file's name in front.
  void refused(const std::string& message, const PublishedCheckpoint& published = {}, const ModelLayers& layers = {}) {
    const fs::path path = saved();
    expect_error(Errc::kCheckpoint, path.string() + ": " + message, [&] { load_checkpoint(path, published, layers); });
  }
  void set(const std::string& key, OfficialFile::Setting value) {
    for (auto& [name, old] : file.hyper_parameters)
      if (name == key) old = std::move(value);
  }

  Quiet quiet;
  OfficialFile file;
  TestFolder folder;
};

TEST_F(OfficialCheckpoint, IsTheModelOfItsHyperParametersWithTheAverages) {
  const SpeechModel model = load_checkpoint(saved());
  const SpeechModelConfig& config = model.config();
  EXPECT_EQ(config.name, "model");
  EXPECT_EQ(config.sample_rate, 4000);
  EXPECT_EQ(config.stft.n_fft, 126);
  EXPECT_EQ(config.stft.hop, 32);
  EXPECT_EQ(config.normalize, "peak");
  EXPECT_EQ(config.level, 1.0);
  EXPECT_EQ(config.padding, "zero");
  EXPECT_EQ(config.process.to_json(),
            R"({"name": "ou_ve", "theta": 1.5, "sigma_min": 0.04, "sigma_max": 0.6, "t_end": 0.03})");
  EXPECT_EQ(config.sampler.find("steps")->scalar(), "30");
  const auto tensors = model.network().tensors();
  for (std::size_t i = 0; i < tensors.size(); ++i)
    EXPECT_FLOAT_EQ(tensors[i].second.flatten()[0].item<float>(), 0.5 + 0.001 * static_cast<double>(i))
        << tensors[i].first;
}

TEST_F(OfficialCheckpoint, CanBeUsedWithItsRawWeights) {
  PublishedCheckpoint raw;
  raw.weights.average = "raw";
  const SpeechModel model = load_checkpoint(saved(), raw);
  for (const auto& [name, tensor] : model.network().tensors()) EXPECT_EQ(tensor.flatten()[0].item<float>(), 0.25F);
  file.averages.clear();  // without averages the raw ones are taken, as in the official program
  const SpeechModel without = load_checkpoint(saved());
  for (const auto& [name, tensor] : without.network().tensors()) EXPECT_EQ(tensor.flatten()[0].item<float>(), 0.25F);
}

TEST_F(OfficialCheckpoint, TakesAListWithoutTheFrozenFrequencies) {
  file.averages.erase(file.averages.begin() + 2);
  const SpeechModel model = load_checkpoint(saved());
  const auto tensors = model.network().tensors();
  EXPECT_EQ(tensors[2].first, "all_modules.0.W");
  EXPECT_EQ(tensors[2].second[0].item<float>(), 0.25F);
  EXPECT_FLOAT_EQ(tensors[1].second[0].item<float>(), 0.501F);
  EXPECT_FLOAT_EQ(tensors[3].second.flatten()[0].item<float>(), 0.503F);
}

TEST_F(OfficialCheckpoint, MayHoldTheMetricItWasTrainedWith) {
  file.weights.emplace_back("pesq_loss.fbank.fbank", at::zeros({4}));
  load_checkpoint(saved());
  file.weights.emplace_back("critic.weight", at::zeros({4}));
  refused("the weights are not for this network: " + std::to_string(file.averages.size()) +
          " tensors match; 1 unexpected: critic.weight; 1 unused: pesq_loss.fbank.fbank");
}

TEST_F(OfficialCheckpoint, OverrulesAConfigButNotWhatIsSet) {
  ModelLayers layers;
  layers.config = yaml("{licence: CC0-1.0, process: {name: ou_ve, theta: 9.0}, sampler: {steps: 50, snr: 0.33}}");
  SpeechModelConfig config = load_checkpoint(saved(), {}, layers).config();
  EXPECT_EQ(config.licence, "CC0-1.0");
  EXPECT_EQ(config.process.find("theta")->scalar(), "1.5");
  EXPECT_EQ(config.sampler.find("name")->scalar(), "pc");
  EXPECT_EQ(config.sampler.find("steps")->scalar(), "50");
  EXPECT_EQ(config.sampler.find("snr")->scalar(), "0.33");
  EXPECT_EQ(config.sampler.find("corrector")->scalar(), "ald");
  layers.overrides = yaml("{process: {theta: 2.5}, padding: reflection}");
  config = load_checkpoint(saved(), {}, layers).config();
  EXPECT_EQ(config.process.find("theta")->scalar(), "2.5");
  EXPECT_EQ(config.padding, "reflection");
}

TEST_F(OfficialCheckpoint, NeedsAConfigWhereItSaysNothingOfItself) {
  file.hyper_parameters.clear();
  refused(
      "holds no hyper-parameters that say which network its weights are of; give a config that does, e.g. --config "
      "speech/sgmse-vb-dmd");
  ModelLayers layers;
  layers.config = yaml(
      "{sample_rate: 4000, stft: {n_fft: 126, hop: 32}, parametrization: {backbone: v1, loss_type: score_matching},\n"
      " network: {name: ncsnpp, nf: 4, ch_mult: [1, 1, 1], num_res_blocks: 1, image_size: 64}, process: {name: "
      "ou_ve}}");
  EXPECT_EQ(load_checkpoint(saved(), {}, layers).config().stft.n_fft, 126);
}

TEST_F(OfficialCheckpoint, OfAnotherNetworkIsRefusedByName) {
  set("num_res_blocks", std::int64_t{2});
  refused("the weights are not for this network: ");
  set("num_res_blocks", std::int64_t{1});
  set("nf", std::int64_t{8});
  refused(
      "the weights are not for this network: 5 tensors match; 220 of another shape: all_modules.0.W (file [4], "
      "network [8])");
  file.weights.clear();
  file.weights.emplace_back("encoder.weight", at::zeros({2}));
  file.averages.clear();
  refused("no weights of this network are there; dictionaries of tensors in the file: 'state_dict' (1 tensors)");
}

TEST_F(OfficialCheckpoint, WithUnfitSettingsIsRefusedByKey) {
  set("nf", std::int64_t{-1});
  refused("network.nf must be 4 to 4096, got -1");
  set("nf", std::int64_t{4});
  set("n_fft", std::int64_t{7});
  refused("stft.n_fft must be even, 4 to 65536, got 7");
  set("n_fft", std::string("many"));
  refused("config: model.stft.n_fft must be");
  set("n_fft", std::int64_t{126});
  set("theta", std::numeric_limits<double>::infinity());
  refused("config: model.process.theta must be a finite number, got 'inf'");
}

TEST_F(OfficialCheckpoint, ThatAsksForAHugeNetworkIsRefusedBeforeTheMemoryIsTaken) {
  const auto huge = "describes a network far larger than the file, whose ";
  set("nf", std::int64_t{1024});
  refused(huge);
  set("nf", std::int64_t{128});
  set("num_res_blocks", std::int64_t{64});
  set("ch_mult", std::vector<std::int64_t>{1, 2, 4, 8, 8, 8, 8});
  refused(huge);

  SpeechModelConfig wide = tiny_config();
  StateDict weights = SpeechModel(wide).to_file();
  wide.network.set("channels", "[4096, 4096]");
  wide.network.set("encoder_blocks", "[9, 9]");
  weights.metadata["reseda.speech"] = write_config(wide).to_json();
  io::write_safetensors(weights, folder / "wide.safetensors");
  expect_error(Errc::kCheckpoint, "wide.safetensors: " + std::string(huge),
               [&] { SpeechModel::load(folder / "wide.safetensors"); });
}

TEST_F(OfficialCheckpoint, ThatNamesAnotherClassIsRefused) {
  file.class_module = "posix";
  file.class_name = "system";
  refused(
      "the file names the Python class 'posix.system', which is not among those that such files name; nothing was "
      "called");
  PublishedCheckpoint any;
  any.weights.classes = {"*"};
  EXPECT_EQ(load_checkpoint(saved(), any).config().sample_rate, 4000);
}

TEST_F(OfficialCheckpoint, ThatIsNoneIsRefused) {
  std::ofstream(folder / "text.ckpt") << "Dear reader";
  expect_error(Errc::kCheckpoint, "text.ckpt", [&] { load_checkpoint(folder / "text.ckpt"); });
  expect_error(Errc::kCheckpoint, "absent.ckpt", [&] { load_checkpoint(folder / "absent.ckpt"); });
  const std::string whole = file.bytes();
  for (const double share : {0.1, 0.5, 0.9, 0.999}) {
    std::ofstream(folder / "cut.ckpt", std::ios::binary)
        << whole.substr(0, static_cast<std::size_t>(share * static_cast<double>(whole.size())));
    expect_error(Errc::kCheckpoint, "cut.ckpt", [&] { load_checkpoint(folder / "cut.ckpt"); });
  }
}

TEST_F(OfficialCheckpoint, ConvertedToSafetensorsIsTheSame) {
  StateDict converted;
  for (std::size_t i = 0; i < file.weights.size(); ++i)
    converted.add(file.weights[i].first.substr(4), file.averages[i]);
  converted.metadata["hyper_parameters"] = R"({"backbone": "ncsnpp", "nf": 4, "ch_mult": [1, 1, 1],
      "num_res_blocks": 1, "image_size": 64, "n_fft": 126, "hop_length": 32, "sr": 4000})";
  io::write_safetensors(converted, folder / "model.safetensors");
  const SpeechModel model = load_checkpoint(folder / "model.safetensors");
  EXPECT_EQ(model.config().stft.n_fft, 126);
  EXPECT_FLOAT_EQ(model.network().tensors()[1].second[0].item<float>(), 0.501F);
}

/// What configs/speech says of published checkpoints.
struct PublishedConfig {
  PublishedCheckpoint checkpoint;
  SpeechModelConfig model;
  template <class V>
  void fields(V& v) {
    v("checkpoint", checkpoint, "");
    v("model", model, "");
  }
};

TEST(PublishedCheckpoints, HaveConfigsThatHold) {
  std::map<std::string, std::int64_t> networks;  // each shape once: they are large
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(RESEDA_SOURCE_DIR) / "configs/speech")) {
    const ConfigNode tree = io::read_yaml(entry.path());
    if (tree.find("checkpoint") == nullptr) continue;
    SCOPED_TRACE(entry.path().filename().string());
    ++count;
    PublishedConfig config;
    read_config(tree, config);
    EXPECT_EQ(config.checkpoint.name, entry.path().stem().string());
    EXPECT_FALSE(config.checkpoint.source.empty());
    EXPECT_FALSE(config.checkpoint.licence.empty() || config.checkpoint.size.empty());
    EXPECT_EQ(config.checkpoint.weights.average, "prefer_ema");
    config.model.validate();
    if (!config.model.sampler.is_null()) diffusion::make_sampler(config.model.sampler, "sampler");
    if (config.model.network.is_null()) continue;
    diffusion::make_process(config.model.process, "process");
    config.model.parametrization.validate();
    const std::string name = config.model.network.find("name")->scalar();
    if (networks.count(name) == 0) {
      const auto network = nets::make_network(config.model.network);
      for (const auto& [key, tensor] : network->tensors()) networks[name] += tensor.numel();
      EXPECT_EQ((config.model.stft.n_fft / 2 + 1) % network->time_multiple(), 0);
    }
    EXPECT_EQ(networks[name], config.checkpoint.parameters);
    const bool wide = name == "ncsnpp_48k";
    EXPECT_EQ(config.model.sample_rate, wide ? 48000 : 16000);
    EXPECT_EQ(config.model.stft.n_fft, wide ? 1534 : 510);
  }
  EXPECT_EQ(count, 10U);
}

}  // namespace
}  // namespace reseda::speech
