#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <vector>

#include "pipelines/speech/enhancer.hpp"
#include "pipelines/speech/official_model.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/golden/golden_model.hpp"

namespace reseda::golden {
namespace {

/// The bridge takes kind and number of steps from the model; only enhancement.py lets its kind be chosen, and "pc"
/// means the default there.
ConfigNode sampler_settings(const nlohmann::json& model, const nlohmann::json& sampler, bool script) {
  if (model.at("sde") == "sbve") {
    std::string type = model.value("sampler_type", "ode");
    if (script && sampler.value("sampler_type", "pc") != "pc") type = sampler["sampler_type"].get<std::string>();
    return to_config({{"name", "sb_" + type}, {"steps", model.value("N", 50)}});
  }
  RESEDA_REQUIRE(sampler.value("sampler_type", "pc") == "pc", Errc::kInput,
                 "the official ODE sampler of OUVE models does not run");
  return to_config({{"name", "pc"},
                    {"predictor", sampler.value("predictor", "reverse_diffusion")},
                    {"corrector", sampler.value("corrector", "ald")},
                    {"corrector_steps", sampler.value("corrector_steps", 1)},
                    {"steps", sampler.value("N", 30)},
                    {"snr", sampler.value("snr", 0.5)},
                    {"t_eps", sampler.value("t_eps", model.value("t_eps", 0.03))},
                    {"langevin_norm", "batch"}});
}

std::string padding(const nlohmann::json& model, const nlohmann::json& sampler, bool script) {
  const bool reflects = model.at("backbone") == "ncsnpp_v2" || model.at("backbone") == "ncsnpp_48k";
  const std::string mode = sampler.value("pad_mode", reflects ? "reflection" : "zero_pad");
  return script && mode == "reflection" ? "reflection" : "zero";
}

/// What the pipeline reads from hyper-parameters, with the case's own sampler and padding.
speech::SpeechModelConfig model_settings(const nlohmann::json& model, const nlohmann::json& sampler) {
  const bool script = sampler.value("path", "enhancement.py") == "enhancement.py";
  const speech::OfficialModel official = speech::read_official_model(to_config(model));
  ConfigNode tree = official.defaults;
  tree.merge(official.trained);
  speech::SpeechModelConfig config;
  read_config(tree, config);
  config.padding = padding(model, sampler, script);
  config.sampler = sampler_settings(model, sampler, script);
  return config;
}

}  // namespace

/// From a noisy wave to the enhanced one through the speech pipeline's enhancer. The draws are used twice: once around
/// the sampler alone, to see its result, and once by the whole way.
void run_enhance(GoldenCase& golden) {
  const nlohmann::json& config = golden.config();
  speech::SpeechModel model(model_settings(config.at("model"), config.at("sampler")));
  model.network().load(golden.weights());
  std::vector<at::Tensor> draws = golden.draws();
  const std::size_t count = draws.size();
  for (std::size_t i = 0; i < count; ++i) draws.push_back(draws[i]);
  RecordedNoise noise(std::move(draws));
  const speech::Enhancer enhancer(std::move(model), {}, c10::Device(c10::kCPU), noise, speech::NoiseLayout::kOfficial);

  const at::Tensor wave = golden.input("wav");
  const double divisor = enhancer.level(wave.abs().max().item<double>(), wave.square().mean().item<double>());
  golden.check_if_recorded("mid.norm_factor", at::tensor({divisor}, at::kFloat));
  const at::Tensor padded = enhancer.pad(enhancer.analyse(wave / divisor), 64);
  golden.check_if_recorded("mid.Y", padded);
  golden.check_if_recorded("mid.sample", enhancer.restore(padded, golden.name(), 0, {}));
  EXPECT_EQ(noise.used(), count) << golden.name();
  golden.check("out.wav", enhancer.enhance_whole(wave, divisor, golden.name(), {}).squeeze(0));
  EXPECT_EQ(noise.used(), 2 * count) << golden.name();
}

}  // namespace reseda::golden
