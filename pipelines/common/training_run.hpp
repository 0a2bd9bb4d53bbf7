#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <functional>

#include "modules/core/progress.hpp"

namespace reseda::app {

/// What a training run is given besides its data; open_run fills it from the command line.
template <class Config>
struct TrainingRun {
  Config config = {};
  std::filesystem::path initial = {};  ///< model file whose weights are the first ones; empty: random ones
  std::filesystem::path out = {};      ///< folder of model.safetensors, state.safetensors, log.jsonl
  std::uint64_t seed = 0;
  bool resume = false;
  c10::Device device = c10::Device(c10::kCPU);
  ProgressSink progress = {};       ///< (step, steps, "loss ...")
  std::function<bool()> stop = {};  ///< e.g. on SIGINT: saves and returns
};

}  // namespace reseda::app
