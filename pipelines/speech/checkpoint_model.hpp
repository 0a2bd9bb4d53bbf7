#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/checkpoint/weights.hpp"
#include "pipelines/speech/speech_model.hpp"

namespace reseda::speech {

/// Where the weights are in an official speech checkpoint: found by itself, the running average where there is one.
io::WeightsConfig official_weights();

/// What a config in configs/speech says about a published checkpoint.
struct PublishedCheckpoint {
  std::string name = "";
  std::string about = "";
  std::string source = "";
  std::vector<std::string> files = {};
  std::string licence = "unspecified";
  std::string size = "";
  std::int64_t parameters = 0;
  std::string sha256 = "";
  io::WeightsConfig weights = official_weights();
  template <class V>
  void fields(V& v) {
    v("name", name, "what the model is called in records; by default the file's name");
    v("about", about, "what it does, trained on what");
    v("source", source, "repository that publishes it, and the paper");
    v("files", files, "file names under which it is published");
    v("licence", licence, "licence of the weights");
    v("size", size, "size of the file, in words");
    v("parameters", parameters, "numbers in the network; 0 where the file decides");
    v("sha256", sha256, "hash that the file must have; empty for any");
    v("weights", weights, "which of the file's tensors are the weights");
  }
};

/// Trees with keys of SpeechModelConfig that are laid around what the file itself says.
struct ModelLayers {
  ConfigNode config;     ///< below the file's hyper-parameters, above the defaults that follow from them
  ConfigNode overrides;  ///< above everything
};

/// Builds a model from an official checkpoint: its config from the file's hyper-parameters (read_official_model) and
/// the layers, its weights from where PublishedCheckpoint::weights says or from the only place they can be. Logs what
/// was found, and a warning where the layers and the file disagree or the file holds no running average.
/// @throws Error{kCheckpoint} with the file's name if it cannot be read, names a Python class that such files do not,
///         holds no weights of this network, or neither file nor layers say which network it is
SpeechModel load_checkpoint(const std::filesystem::path& file, const PublishedCheckpoint& published = {},
                            const ModelLayers& layers = {});

}  // namespace reseda::speech
