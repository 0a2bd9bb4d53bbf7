#include "pipelines/speech/train.hpp"

#include "modules/core/log.hpp"
#include "pipelines/common/batch_progress.hpp"
#include "pipelines/common/config_layers.hpp"
#include "pipelines/speech/audio_pack.hpp"
#include "pipelines/speech/training_run.hpp"

namespace reseda::speech {
namespace {

std::vector<SourceFolder> folders(const app::Flags& flags, const char* name) {
  std::vector<SourceFolder> out;
  for (const std::string& text : flags.list(name)) out.push_back(parse_source(text));
  return out;
}

int train(const app::Flags& flags) {
  TrainingRun run;
  app::ConfigLayers layers;
  layers.add_file(flags.text("recipe"));
  run.config = layers.add_flags(flags).read(run.config);
  if (flags.given("steps")) run.config.train.steps = flags.integer("steps");
  if (app::printed_config(flags, write_config(run.config))) return 0;

  const app::Compute compute = app::open_compute(flags);
  run.seed = compute.seed;
  run.device = compute.device;
  run.out = flags.text("output");
  run.pack = flags.text("pack").empty() ? run.out / "pack.safetensors" : std::filesystem::path(flags.text("pack"));
  run.initial = flags.text("init");
  run.resume = flags.on("resume");
  run.stop = [] { return app::stop_requested(); };
  app::BatchProgress display(app::ProgressStyle::kAuto, 1);
  const ProgressSink show = [&](const Progress& progress) {
    display.step(progress);
    return true;
  };
  run.progress = show;
  const TrainingSources sources{folders(flags, "clean"), folders(flags, "noise"), folders(flags, "rooms")};
  std::filesystem::create_directories(run.out);
  display.start("decoding");
  make_pack(sources, run.config.model.sample_rate, run.pack, show);
  display.start("training");
  const bool finished = run_training(run);
  log::info(finished ? "trained: " : "stopped; --resume goes on: ", (run.out / "model.safetensors").string());
  return finished ? 0 : static_cast<int>(Errc::kInterrupted);
}

}  // namespace

app::Verb train_verb() {
  app::Verb verb;
  verb.name = "train";
  verb.about = "Trains a speech model on folders of clean speech, noise and room responses, mixed anew at every step.";
  verb.example = "reseda speech train --clean speech --noise noise --rooms rir -o run --resume";
  verb.flags.add({.name = "clean",
                  .word = "DIR[:WEIGHT]",
                  .help = "Folder of clean speech, with its relative chance per second; may be repeated",
                  .group = "Data",
                  .hint = app::ValueHint::kFolder,
                  .required = true,
                  .repeatable = true});
  verb.flags.add({.name = "noise",
                  .word = "DIR[:WEIGHT]",
                  .help = "Folder of noise; may be repeated",
                  .group = "Data",
                  .hint = app::ValueHint::kFolder,
                  .required = true,
                  .repeatable = true});
  verb.flags.add({.name = "rooms",
                  .word = "DIR",
                  .help = "Folder of room impulse responses; may be repeated",
                  .group = "Data",
                  .hint = app::ValueHint::kFolder,
                  .repeatable = true});
  verb.flags.add({.name = "pack",
                  .word = "FILE",
                  .help = "Where the decoded audio is kept; by default in the output folder",
                  .group = "Data",
                  .hint = app::ValueHint::kFile});
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
  verb.flags.add({.name = "init",
                  .word = "FILE",
                  .help = "Model file of the same network whose weights the run starts from",
                  .group = "Training",
                  .hint = app::ValueHint::kFile});
  verb.flags.add({.name = "recipe",
                  .value = "speech/reseda-16k",
                  .word = "NAME|FILE",
                  .help = "Configuration of model, optimiser, mixer and loss",
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

}  // namespace reseda::speech
