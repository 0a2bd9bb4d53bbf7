#include "pipelines/speech/speech_model.hpp"

#include "io/checkpoint/safetensors.hpp"
#include "tests/pipelines/speech/speech_fixture.hpp"

namespace reseda::speech {
namespace {

at::Tensor predict(const SpeechModel& model, const at::Tensor& wave) {
  const at::NoGradGuard no_grad;
  const at::Tensor y = model.analyse(wave);
  return model.network().forward(y, y, at::full({y.size(0)}, 0.7F));
}

/// 64 frames of 4 kHz noise.
at::Tensor wave() { return made_noise(63 * 32, 1).unsqueeze(0); }

class SpeechModelFile : public testing::Test {
 protected:
  std::filesystem::path saved(const StateDict& file) const {
    io::write_safetensors(file, folder / "model.safetensors");
    return folder / "model.safetensors";
  }
  TestFolder folder;
};

TEST_F(SpeechModelFile, ReadsBackToTheSameOutputs) {
  SpeechModelConfig config = tiny_config();
  config.level = 0.125;
  config.transform.factor = 0.3;
  config.parametrization.sigma_data = 0.2;
  config.process.set("k", "2.2");
  const SpeechModel model(config);
  const SpeechModel read = SpeechModel::load(saved(model.to_file()));
  EXPECT_TRUE(at::equal(predict(read, wave()), predict(model, wave())));
  EXPECT_EQ(write_config(read.config()).to_json(), write_config(model.config()).to_json());
  EXPECT_EQ(read.config().level, 0.125);
  EXPECT_EQ(read.process().at(0.5).a.scalar(), model.process().at(0.5).a.scalar());
}

TEST_F(SpeechModelFile, CarriesNameAndLicence) {
  const StateDict file = SpeechModel(tiny_config()).to_file();
  EXPECT_EQ(file.metadata.at("reseda.name"), "tiny");
  EXPECT_EQ(file.metadata.at("reseda.licence"), "CC0-1.0");
}

TEST_F(SpeechModelFile, HoldsTheAverageWhereOneIsGiven) {
  const SpeechModel model(tiny_config());
  std::vector<StateDict::Entry> average;
  for (const auto& [name, tensor] : model.network().tensors())
    if (name == "head.bias") average.emplace_back(name, tensor.detach() + 1.0);
  const StateDict file = model.to_file(average);
  for (const auto& [name, tensor] : model.network().tensors())
    EXPECT_TRUE(at::equal(file.at(name), name == "head.bias" ? tensor.detach() + 1.0 : tensor.detach())) << name;
  EXPECT_FALSE(file.at("head.bias").requires_grad());
}

TEST_F(SpeechModelFile, IsRefusedWithAnotherNetworksWeights) {
  SpeechModelConfig wide = tiny_config();
  wide.network.set("channels", "[8, 8]");
  StateDict file = SpeechModel(wide).to_file();
  file.metadata["reseda.speech"] = SpeechModel(tiny_config()).to_file().metadata.at("reseda.speech");
  const auto path = saved(file);
  expect_error(Errc::kCheckpoint, "of another shape", [&] { SpeechModel::load(path); });
  expect_error(Errc::kCheckpoint, "model.safetensors", [&] { SpeechModel::load(path); });

  StateDict less;
  less.metadata = SpeechModel(tiny_config()).to_file().metadata;
  for (const auto& [name, tensor] : SpeechModel(tiny_config()).to_file())
    if (name != "head.bias") less.add(name, tensor);
  expect_error(Errc::kCheckpoint, "missing: head.bias", [&] { SpeechModel::load(saved(less)); });
}

TEST_F(SpeechModelFile, IsRefusedWithoutItsMetadata) {
  StateDict file = SpeechModel(tiny_config()).to_file();
  file.metadata.erase("reseda.speech");
  expect_error(Errc::kCheckpoint, "metadata 'reseda.speech' is missing", [&] { SpeechModel::load(saved(file)); });
}

TEST_F(SpeechModelFile, IsRefusedWithDamagedMetadata) {
  StateDict file = SpeechModel(tiny_config()).to_file();
  const std::string good = file.metadata.at("reseda.speech");
  const auto refused = [&](const std::string& text, const std::string& part) {
    file.metadata["reseda.speech"] = text;
    expect_error(Errc::kCheckpoint, part, [&] { SpeechModel::load(saved(file)); });
  };
  refused(good.substr(0, good.size() / 2), "model.safetensors");
  refused("", "model.safetensors");
  refused("{}", "model.network.name");
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << good;
    return text.replace(at, from.size(), to);
  };
  refused(replaced("ncsnpp_lite", "ncsnpp_lit"), "did you mean 'ncsnpp_lite'");
  refused(replaced("4000", "-1"), "model.sample_rate");
  refused(replaced("\"rms\"", "\"loud\""), "model.normalize must be peak or rms, got 'loud'");
}

TEST_F(SpeechModelFile, IsRefusedWhereItIsNone) {
  expect_error(Errc::kCheckpoint, "absent.safetensors", [&] { SpeechModel::load(folder / "absent.safetensors"); });
  std::ofstream(folder / "text.safetensors") << "not a model";
  expect_error(Errc::kCheckpoint, "text.safetensors", [&] { SpeechModel::load(folder / "text.safetensors"); });
}

TEST(SpeechModelConfig, IsRefusedByName) {
  const auto refused = [](const char* key, const char* value, const std::string& part) {
    ConfigNode node = write_config(tiny_config());
    node.set(key, value);
    SpeechModelConfig config;
    expect_error(Errc::kUsage, part, [&] { read_config(node, config, "model"); });
  };
  refused("sample_rate", "3999", "model.sample_rate must be 4000 to 192000 Hz, got 3999");
  refused("normalize", "max", "model.normalize");
  refused("level", "0", "model.level must be positive");
  refused("padding", "none", "model.padding must be zero or reflection");
  refused("levle", "1", "level");
  refused("parametrization.c_in", "2", "parametrization.c_in must be one of 1, edm, got '2'");
}

TEST(SpeechModel, AnalysesAndSynthesisesInverseToEachOther) {
  const SpeechModel model(tiny_config());
  const at::Tensor waves = at::stack({made_speech(3000, 4000), made_noise(3000, 2)});
  const at::Tensor spectrum = model.analyse(waves);
  EXPECT_EQ(spectrum.sizes(), (std::vector<std::int64_t>{2, 1, 64, 1 + 3000 / 32}));
  EXPECT_LT((model.synthesise(spectrum, 3000) - waves).abs().max().item<double>(), 1e-5);
}

TEST(SpeechModel, LetsGradientsThrough) {
  const SpeechModel model(tiny_config());
  const at::Tensor waves = made_noise(2000, 3).unsqueeze(0).requires_grad_();
  model.synthesise(model.analyse(waves), 2000).square().sum().backward();
  // The two are inverse, so the gradient of the energy is 2 x.
  EXPECT_LT((waves.grad() - 2 * waves.detach()).abs().max().item<double>(), 1e-4);
}

TEST(SpeechModel, StartsFromTheGeneratorsSeed) {
  at::manual_seed(5);
  const SpeechModel first(tiny_config());
  const SpeechModel second(tiny_config());
  at::manual_seed(5);
  const SpeechModel third(tiny_config());
  EXPECT_TRUE(at::equal(predict(first, wave()), predict(third, wave())));
  EXPECT_FALSE(at::equal(predict(first, wave()), predict(second, wave())));
}

}  // namespace
}  // namespace reseda::speech
