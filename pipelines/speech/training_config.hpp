#pragma once

#include <cstdint>
#include <string>

#include "modules/train/trainer.hpp"
#include "pipelines/speech/mixer.hpp"
#include "pipelines/speech/objective.hpp"
#include "pipelines/speech/official_loss.hpp"
#include "pipelines/speech/speech_model.hpp"

namespace reseda::speech {

struct TrainingConfig {
  SpeechModelConfig model;
  train::TrainerConfig train;
  MixerConfig mixer;
  std::string objective = "few_call";
  FewCallLossConfig loss;
  OfficialLossConfig official;
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
    v("objective", objective,
      "few_call (block loss): trained as a few calls are used; official (block official): the losses of SGMSE+ and of "
      "its Schroedinger bridge, as model.parametrization says");
    v("loss", loss, "what few_call minimises");
    v("official", official, "what official minimises");
    v("pairs", pairs, "pairs per step");
    v("frames", frames, "spectral frames of a training crop");
    v("precision", precision,
      "f32, or bf16 for activations in bfloat16 (weights, norms' statistics and losses stay float32)");
    v("hold_out", hold_out, "every n-th recording of each folder validates; 0 trains on all and skips validation");
    v("validation_pairs", validation_pairs, "pairs of a validation");
  }
  /// @throws Error{kUsage} naming the key
  void validate() const;

  /// Samples of a training crop.
  std::int64_t samples() const { return (frames - 1) * model.stft.hop; }
};

/// The loss of one batch under the configured objective; `step` names the draws, `progress` is step / steps.
/// Draws under item "train", see few_call_loss and OfficialLoss::degrade.
train::StepLoss training_loss(const SpeechModel& model, const TrainingConfig& config, const Mixer::Batch& batch,
                              std::int64_t step, double progress, NoiseSource& noise);

/// Quality on fixed pairs of held-out recordings, under their names in the log: few_call gives the first call's SI-SDR
/// and loudness distance beside the input's, official its loss. Draws nothing that training draws.
ConfigNode validation_figures(const SpeechModel& model, const TrainingConfig& config, const Mixer& held_out,
                              std::uint64_t seed, c10::Device device);

}  // namespace reseda::speech
