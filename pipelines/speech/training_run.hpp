#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "modules/core/progress.hpp"
#include "pipelines/speech/training_config.hpp"

namespace reseda::speech {

struct TrainingRun {
  TrainingConfig config;
  std::filesystem::path pack, out;  ///< decoded audio; folder of model.safetensors, state.safetensors, log.jsonl
  std::filesystem::path initial;    ///< a speech model of the same network to start from; empty: random weights
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
///         configuration, seed or pack, or if `initial` does not fit the network
bool run_training(const TrainingRun& run);

}  // namespace reseda::speech
