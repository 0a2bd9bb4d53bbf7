#pragma once

#include <filesystem>
#include <string>

#include "modules/core/progress.hpp"
#include "pipelines/common/batch_progress.hpp"
#include "pipelines/common/config_layers.hpp"
#include "pipelines/common/program.hpp"

namespace reseda::app {

/// What every verb that trains takes: --output, --resume, --recipe, --steps, with config_flags and compute_flags.
/// @param recipe    the recipe without the flag
/// @param contents  what a recipe holds, for the help
FlagTable train_flags(const std::string& recipe, const std::string& contents);

/// The recipe with the command line's --config and --set, then {train: {steps: N}} where --steps is given.
ConfigLayers train_layers(const Flags& flags);

/// Fills what every training run has: seed, device, out, resume, stop (on SIGINT) and progress, which `display` shows
/// and must outlive the run. @throws as open_compute
template <class Run>
void open_run(Run& run, const Flags& flags, BatchProgress& display) {
  const Compute compute = open_compute(flags);
  run.seed = compute.seed;
  run.device = compute.device;
  run.out = flags.text("output");
  run.resume = flags.on("resume");
  run.stop = [] { return stop_requested(); };
  run.progress = [&display](const Progress& progress) {
    display.step(progress);
    return true;
  };
}

/// Says where the model is. @param finished  whether the run reached its last step  @return the exit code
int end_run(bool finished, const std::filesystem::path& out);

}  // namespace reseda::app
