#include "pipelines/common/train_flags.hpp"

#include <utility>

#include "modules/core/error.hpp"
#include "modules/core/log.hpp"

namespace reseda::app {

FlagTable train_flags(const std::string& recipe, const std::string& contents) {
  FlagTable table;
  table
      .add({.name = "output",
            .letter = 'o',
            .word = "DIR",
            .help = "Folder of the run: model, training state, log",
            .group = "Data",
            .hint = ValueHint::kFolder,
            .required = true})
      .add({.name = "resume",
            .type = FlagType::kSwitch,
            .help = "Continue the run in the output folder to the same bytes as if it had never stopped",
            .group = "Training"})
      .add({.name = "recipe",
            .value = recipe,
            .word = "NAME|FILE",
            .help = "Configuration of " + contents,
            .group = "Training",
            .hint = ValueHint::kFile})
      .add({.name = "steps",
            .type = FlagType::kInteger,
            .help = "Optimiser steps, in place of the recipe's",
            .group = "Training",
            .least = 1.0})
      .add(config_flags())
      .add(compute_flags());
  return table;
}

ConfigLayers train_layers(const Flags& flags) {
  ConfigLayers layers;
  layers.add_file(flags.text("recipe")).add_flags(flags);
  if (flags.given("steps")) {
    ConfigNode tree;
    tree.set("train.steps", flags.text("steps"));
    layers.add(std::move(tree));
  }
  return layers;
}

int end_run(bool finished, const std::filesystem::path& out) {
  log::info(finished ? "trained: " : "stopped; --resume goes on: ", (out / "model.safetensors").string());
  return finished ? 0 : static_cast<int>(Errc::kInterrupted);
}

}  // namespace reseda::app
