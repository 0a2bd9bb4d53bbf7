#include "pipelines/certify/train.hpp"

#include "modules/core/log.hpp"
#include "pipelines/certify/image_data.hpp"
#include "pipelines/certify/training_run.hpp"
#include "pipelines/common/train_flags.hpp"

namespace reseda::certify {
namespace {

/// The recipe and the command line, --sigma above both.
TrainingConfig read_config_of(const app::Flags& flags) {
  app::ConfigLayers layers = app::train_layers(flags);
  if (flags.given("sigma")) {
    ConfigNode tree;
    tree.set("model.sigmas", "[" + flags.text("sigma") + "]");
    layers.add(std::move(tree));
  }
  TrainingConfig config = layers.read(TrainingConfig{});
  config.validate();
  return config;
}

int train(const app::Flags& flags) {
  TrainingRun run;
  run.config = read_config_of(flags);
  if (app::printed_config(flags, write_config(run.config))) return 0;

  app::BatchProgress display(app::ProgressStyle::kAuto, 1);
  app::open_run(run, flags, display);
  run.initial = flags.text("init");
  display.start("reading");
  const auto data = open_image_data(flags.text("data"), DataSplit::kTrain);
  const LabelledImages images = read_images(*data, run.config.model);
  log::info(images.count(), " images");
  display.start("training");
  return app::end_run(run_training(run, images), run.out);
}

}  // namespace

app::Verb train_verb() {
  app::Verb verb;
  verb.name = "train";
  verb.about = "Trains a classifier under Gaussian noise, so that its smoothed version can be certified.";
  verb.example = "reseda certify train --data cifar10 --sigma 0.12,0.25,0.5 -o run --resume";
  verb.flags
      .add({.name = "data",
            .word = "DIR",
            .help = "Folder of training images with labels: CIFAR-10 binary, idx, PNG strip, JPEG archive, or a folder "
                    "for each class",
            .group = "Data",
            .hint = app::ValueHint::kFolder,
            .required = true})
      .add({.name = "sigma",
            .word = "S,S,...",
            .help = "Noise levels, of values in [0, 1], in place of the recipe's: each image gets one of them at every "
                    "step; 0 for clean images, behind a denoiser",
            .group = "Training"})
      .add({.name = "init",
            .word = "MODEL",
            .help = "Model file whose weights training starts from",
            .group = "Training",
            .hint = app::ValueHint::kFile})
      .add(app::train_flags("certify/cifar10-smoothed", "model, optimiser and augmentation"));
  verb.run = train;
  return verb;
}

}  // namespace reseda::certify
