#include "pipelines/infrared/train.hpp"

#include "pipelines/common/train_flags.hpp"
#include "pipelines/restoration/training_run.hpp"

namespace reseda::infrared {
namespace {

int train(const app::Flags& flags) {
  restoration::TrainingRun run;
  run.config = app::train_layers(flags).read(run.config);
  if (app::printed_config(flags, write_config(run.config))) return 0;

  app::BatchProgress display(app::ProgressStyle::kAuto, 1);
  app::open_run(run, flags, display);
  const std::vector<std::filesystem::path> folders(flags.list("data").begin(), flags.list("data").end());
  restoration::ImageSet images = restoration::read_images(folders, run.config.crop);
  display.start("training");
  const bool finished = restoration::run_training(run, std::move(images));
  return app::end_run(finished, run.out);
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
  verb.flags.add(app::train_flags("restoration/rddm-demo", "model, optimiser, degradation and loss"));
  verb.run = train;
  return verb;
}

}  // namespace reseda::infrared
