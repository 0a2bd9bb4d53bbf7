#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "modules/core/config.hpp"
#include "modules/core/state_dict.hpp"
#include "modules/diffusion/process.hpp"
#include "modules/nets/network.hpp"
#include "modules/signal/stft.hpp"
#include "pipelines/speech/score_parametrization.hpp"

namespace reseda::speech {

/// Everything that turns a wave into a network's input and back; stored in the metadata of a model file.
struct SpeechModelConfig {
  std::string name = "unnamed";
  std::string licence = "unspecified";
  std::int64_t sample_rate = 16000;
  std::string normalize = "peak";
  double level = 1.0;
  signal::StftConfig stft;
  signal::SpectralTransformConfig transform;
  std::string padding = "reflection";
  ConfigNode network, process;
  ScoreParametrization parametrization;
  ConfigNode sampler;
  template <class V>
  void fields(V& v) {
    v("name", name, "name of the model");
    v("licence", licence, "licence of the weights");
    v("sample_rate", sample_rate, "rate the network works at, Hz");
    v("normalize", normalize, "what of the recording is brought to `level`: peak or rms");
    v("level", level, "peak or rms of the network's input");
    v("stft", stft, "spectral front end");
    v("transform", transform, "compression of the spectrum");
    v("padding", padding, "how frames are added up to the network's multiple: zero or reflection");
    v("network", network, "network: name and its options");
    v("process", process, "forward process: name and its options");
    v("parametrization", parametrization, "how the network's output becomes a score or an estimate of x0");
    v("sampler", sampler, "default sampler: name and its options");
  }
  void validate() const;
};

/// A speech model: configuration, network and process, ready for training or for enhancement.
class SpeechModel {
 public:
  /// Builds the network with random weights.
  explicit SpeechModel(SpeechModelConfig config);
  /// The same for a config that comes from a file: memory for the network is bounded by a few times the file's size.
  /// @throws Error{kCheckpoint} if the config describes a network far larger than that
  static SpeechModel within(SpeechModelConfig config, std::uint64_t file_bytes);
  /// Reads a model file: safetensors whose metadata "reseda.speech" holds the config as JSON.
  /// @throws Error{kCheckpoint} if the file is absent, is no speech model, or does not fit
  static SpeechModel load(const std::filesystem::path& file);
  /// The weights with the config in the metadata, as `load` reads it; `average` replaces the network's own values.
  StateDict to_file(const std::vector<StateDict::Entry>& average = {}) const;

  const SpeechModelConfig& config() const { return config_; }
  nets::Network& network() const { return *network_; }
  const diffusion::Process& process() const { return *process_; }

  /// Compressed spectrum of waves.  @param wave [B,L] float32  @return [B,1,F,T] complex64; differentiable
  at::Tensor analyse(const at::Tensor& wave) const;
  /// Waves of a compressed spectrum, cut to `samples`.  @return [B,samples]; differentiable
  at::Tensor synthesise(const at::Tensor& spectrum, std::int64_t samples) const;

 private:
  SpeechModelConfig config_;
  std::shared_ptr<nets::Network> network_;
  std::unique_ptr<diffusion::Process> process_;
};

}  // namespace reseda::speech
