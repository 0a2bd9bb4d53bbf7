#include "pipelines/infrared/train.hpp"

#include "modules/core/log.hpp"
#include "pipelines/common/batch_progress.hpp"
#include "pipelines/common/config_layers.hpp"
#include "pipelines/restoration/training_run.hpp"

namespace reseda::infrared {
namespace {

int train(const app::Flags& flags) {
  restoration::TrainingRun run;
  app::ConfigLayers layers;
  layers.add_file(flags.text("recipe"));
  run.config = layers.add_flags(flags).read(run.config);
  if (flags.given("steps")) run.config.train.steps = flags.integer("steps");
  if (app::printed_config(flags, write_config(run.config))) return 0;

  const app::Compute compute = app::open_compute(flags);
  run.seed = compute.seed;
  run.device = compute.device;
  run.out = flags.text("output");
  run.resume = flags.on("resume");
  run.stop = [] { return app::stop_requested(); };
  app::BatchProgress display(app::ProgressStyle::kAuto, 1);
  run.progress = [&](const Progress& progress) {
    display.step(progress);
    return true;
  };
  const std::vector<std::filesystem::path> folders(flags.list("data").begin(), flags.list("data").end());
  restoration::ImageSet images = restoration::read_images(folders, run.config.crop);
  display.start("training");
  const bool finished = restoration::run_training(run, std::move(images));
  log::info(finished ? "trained: " : "stopped; --resume goes on: ", (run.out / "model.safetensors").string());
  return finished ? 0 : static_cast<int>(Errc::kInterrupted);
}

}  // namespace

app::Verb train_verb() {
  app::Verb verb;
  verb.name = "train";
  verb.about = "Trains a restoration model on folders of clean frames, degraded anew at every step.";
  verb.example = "reseda infrared train --data frames --recipe restoration/rddm-demo -o run --resume";
  verb.flags.add({.name = "data",
                  .word = "DIR",
                  .help = "Folder of clean frames; may be repeated",
                  .group = "Data",
                  .hint = app::ValueHint::kFolder,
                  .required = true,
                  .repeatable = true});
  verb.flags.add({.name = "output",
                  .letter = 'o',
                  .word = "DIR",
                  .help = "Folder of the run: model, training state, log",
                  .group = "Data",
                  .hint = app::ValueHint::kFolder,
                  .required = true});
  verb.flags.add({.name = "resume",
                  .type = app::FlagType::kSwitch,
                  .help = "Continue the run in the output folder to the same bytes as if it had never stopped",
                  .group = "Training"});
  verb.flags.add({.name = "recipe",
                  .value = "restoration/rddm-demo",
                  .word = "NAME|FILE",
                  .help = "Configuration of model, optimiser, degradation and loss",
                  .group = "Training",
                  .hint = app::ValueHint::kFile});
  verb.flags.add({.name = "steps",
                  .type = app::FlagType::kInteger,
                  .help = "Optimiser steps, in place of the recipe's",
                  .group = "Training",
                  .least = 1.0});
  verb.flags.add(app::config_flags());
  verb.flags.add(app::compute_flags());
  verb.run = train;
  return verb;
}

}  // namespace reseda::infrared
