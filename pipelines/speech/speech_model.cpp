#include "pipelines/speech/speech_model.hpp"

#include <ATen/ATen.h>

#include <map>

#include "io/checkpoint/safetensors.hpp"
#include "io/record/json.hpp"
#include "modules/core/allocation_limit.hpp"

namespace reseda::speech {
namespace {
constexpr const char* kMetadataKey = "reseda.speech";
}  // namespace

void SpeechModelConfig::validate() const {
  RESEDA_REQUIRE(sample_rate >= 4000 && sample_rate <= 192000, Errc::kUsage,
                 "model.sample_rate must be 4000 to 192000 Hz, got ", sample_rate);
  RESEDA_REQUIRE(normalize == "peak" || normalize == "rms", Errc::kUsage, "model.normalize must be peak or rms, got '",
                 normalize, "'");
  RESEDA_REQUIRE(level > 0, Errc::kUsage, "model.level must be positive, got ", level);
  RESEDA_REQUIRE(padding == "zero" || padding == "reflection", Errc::kUsage,
                 "model.padding must be zero or reflection, got '", padding, "'");
}

SpeechModel::SpeechModel(SpeechModelConfig config)
    : config_(std::move(config)),
      network_(nets::make_network(config_.network, "model.network")),
      process_(diffusion::make_process(config_.process, "model.process")) {
  config_.validate();
}

SpeechModel SpeechModel::within(SpeechModelConfig config, std::uint64_t file_bytes) {
  // Small types grow to float32, and making initial weights takes some more for a while.
  constexpr std::uint64_t kGrowth = 6, kAlways = 64 << 20;
  const AllocationLimit limit(kGrowth * file_bytes + kAlways, Errc::kCheckpoint,
                              "describes a network far larger than the file, whose " + std::to_string(file_bytes) +
                                  " bytes cannot hold its weights");
  return SpeechModel(std::move(config));
}

SpeechModel SpeechModel::load(const std::filesystem::path& file) {
  const StateDict weights = io::read_safetensors(file);
  const auto found = weights.metadata.find(kMetadataKey);
  RESEDA_REQUIRE(found != weights.metadata.end(), Errc::kCheckpoint, file.string(),
                 ": not a reseda speech model (metadata '", kMetadataKey, "' is missing)");
  SpeechModelConfig config;
  try {
    read_config(io::parse_json(found->second, file.string()), config, "model");
    std::uint64_t bytes = 0;
    for (const auto& [name, tensor] : weights) bytes += tensor.nbytes();
    SpeechModel model = within(std::move(config), bytes);
    model.network_->load(weights);
    return model;
  } catch (const Error& error) {
    throw Error(Errc::kCheckpoint, file.string() + ": " + error.what());
  }
}

StateDict SpeechModel::to_file(const std::vector<StateDict::Entry>& average) const {
  const std::map<std::string, at::Tensor> replaced(average.begin(), average.end());
  StateDict out;
  for (const auto& [name, tensor] : network_->tensors()) {
    const auto found = replaced.find(name);
    out.add(name, (found == replaced.end() ? tensor : found->second).detach().cpu());
  }
  out.metadata[kMetadataKey] = write_config(config_).to_json();
  out.metadata["reseda.name"] = config_.name;
  out.metadata["reseda.licence"] = config_.licence;
  return out;
}

at::Tensor SpeechModel::analyse(const at::Tensor& wave) const {
  return signal::compress(signal::stft(wave, config_.stft), config_.transform).unsqueeze(1);
}

at::Tensor SpeechModel::synthesise(const at::Tensor& spectrum, std::int64_t samples) const {
  return signal::istft(signal::expand(spectrum.squeeze(1), config_.transform), config_.stft, samples);
}

}  // namespace reseda::speech
