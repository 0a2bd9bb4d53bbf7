#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "pipelines/common/training_run.hpp"
#include "pipelines/speech/training_config.hpp"

namespace reseda::speech {

struct TrainingRun : app::TrainingRun<TrainingConfig> {
  std::filesystem::path pack = {};  ///< decoded audio
};

/// Trains a speech model. Every save_every steps the folder gets the averaged model and the whole training state, each
/// written under another name and renamed; with `resume` a run continues from there to the same bytes as a run that was
/// never stopped (same thread count). @return whether the run reached its last step
/// @throws Error{kOutput} if the folder holds a run already and `resume` is off, Error{kCheckpoint} if it is of another
///         configuration, seed or pack, or if `initial` does not fit the network
bool run_training(const TrainingRun& run);

}  // namespace reseda::speech
