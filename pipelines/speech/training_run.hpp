#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "modules/core/progress.hpp"
#include "modules/train/trainer.hpp"
#include "pipelines/speech/audio_pack.hpp"
#include "pipelines/speech/mixer.hpp"
#include "pipelines/speech/objective.hpp"
#include "pipelines/speech/speech_model.hpp"

namespace reseda::speech {

struct TrainingConfig {
  SpeechModelConfig model;
  train::TrainerConfig train;
  MixerConfig mixer;
  FewCallLossConfig loss;
  std::int64_t pairs = 6;
  std::int64_t frames = 192;
  std::string precision = "f32";
  std::int64_t hold_out = 25;
  std::int64_t validation_pairs = 24;
  template <class V>
  void fields(V& v) {
    v("model", model, "network, process and spectral front end");
    v("train", train, "optimiser and schedule");
    v("mixer", mixer, "how training pairs are made");
    v("loss", loss, "what is minimised");
    v("pairs", pairs, "pairs per step");
    v("frames", frames, "spectral frames of a training crop");
    v("precision", precision,
      "f32, or bf16 for activations in bfloat16 (weights, norms' statistics and losses stay float32)");
    v("hold_out", hold_out, "every n-th recording of each folder validates; 0 trains on all and skips validation");
    v("validation_pairs", validation_pairs, "pairs of a validation");
  }
  void validate() const;
};

struct TrainingRun {
  TrainingConfig config;
  std::filesystem::path pack, out;  ///< decoded audio; folder of model.safetensors, state.safetensors, log.jsonl
  std::filesystem::path initial;   ///< a speech model of the same network to start from; empty: random weights
  std::uint64_t seed = 0;
  bool resume = false;
  c10::Device device = c10::Device(c10::kCPU);
  ProgressSink progress;       ///< (step, steps, "loss ...")
  std::function<bool()> stop;  ///< e.g. on SIGINT: saves and returns
};

/// Trains a speech model. Every save_every steps the folder gets the averaged model and the whole training state, each
/// written under another name and renamed; with `resume` a run continues from there to the same bytes as a run that was
/// never stopped (same thread count). @return whether the run reached its last step
/// @throws Error{kOutput} if the folder holds a run already and `resume` is off, Error{kCheckpoint} if it is of another
///         configuration, or if `initial` does not fit the network
bool run_training(const TrainingRun& run);

}  // namespace reseda::speech
