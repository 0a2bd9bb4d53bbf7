#include "pipelines/certify/train.hpp"

#include <optional>

#include "modules/core/error.hpp"
#include "modules/core/log.hpp"
#include "pipelines/certify/contrast_training.hpp"
#include "pipelines/certify/denoiser_training.hpp"
#include "pipelines/certify/image_data.hpp"
#include "pipelines/certify/training_run.hpp"
#include "pipelines/common/train_flags.hpp"

namespace reseda::certify {
namespace {

/// What a recipe trains, which its key `stage` says.
std::string stage_of(const app::ConfigLayers& layers) {
  const ConfigNode tree = layers.merged({});
  const ConfigNode* node = tree.find("stage");
  return node == nullptr ? "classifier" : node->scalar();
}

/// A stage's config with its name, as a recipe holds it.
template <class Config>
struct Staged {
  std::string stage;
  Config config;
  template <class V>
  void fields(V& v) {
    v("stage", stage, "what is trained: classifier; denoiser, before one; or contrast, rRCM's encoder, without labels");
    config.fields(v);
  }
};

/// The recipe and the command line, --sigma above both.
app::ConfigLayers layers_of(const app::Flags& flags) {
  app::ConfigLayers layers = app::train_layers(flags);
  if (flags.given("sigma")) {
    ConfigNode tree;
    tree.set("model.sigmas", "[" + flags.text("sigma") + "]");
    layers.add(std::move(tree));
  }
  return layers;
}

/// Everything of a run but its images. @return nothing where --print-config was all that was asked for
template <class Run, class Config>
std::optional<Run> opened(const app::Flags& flags, const app::ConfigLayers& layers, const std::string& stage,
                          app::BatchProgress& display) {
  const auto staged = layers.read(Staged<Config>{.stage = stage, .config = {}});
  staged.config.validate();
  if (app::printed_config(flags, write_config(staged))) return {};
  Run run;
  run.config = staged.config;
  app::open_run(run, flags, display);
  run.initial = flags.text("init");
  display.start("reading");
  return run;
}

int train_classifier(const app::Flags& flags, const app::ConfigLayers& layers) {
  app::BatchProgress display(app::ProgressStyle::kAuto, 1);
  auto run = opened<TrainingRun, TrainingConfig>(flags, layers, "classifier", display);
  if (!run) return 0;
  run->denoiser = flags.text("denoiser");
  const auto data = open_image_data(flags.text("data"), DataSplit::kTrain);
  const LabelledImages images = read_images(*data, run->config.model);
  log::info(images.count(), " images");
  display.start("training");
  return app::end_run(run_training(*run, images), run->out);
}

void refuse_classifier_flags(const app::Flags& flags, const char* stage) {
  RESEDA_REQUIRE(!flags.given("sigma") && !flags.given("denoiser"), Errc::kUsage,
                 "--sigma and --denoiser are of a classifier; this recipe has the stage ", stage);
}

int train_prior(const app::Flags& flags, const app::ConfigLayers& layers) {
  refuse_classifier_flags(flags, "denoiser");
  app::BatchProgress display(app::ProgressStyle::kAuto, 1);
  auto run = opened<restoration::TrainingRun, restoration::TrainingConfig>(flags, layers, "denoiser", display);
  if (!run) return 0;
  const auto data = open_image_data(flags.text("data"), DataSplit::kTrain);
  const LabelledImages images = read_images(*data, data->pixels(0).size(0), run->config.crop);
  log::info(images.count(), " images");
  display.start("training");
  return app::end_run(train_denoiser(*run, images), run->out);
}

int train_contrast(const app::Flags& flags, const app::ConfigLayers& layers) {
  refuse_classifier_flags(flags, "contrast");
  app::BatchProgress display(app::ProgressStyle::kAuto, 1);
  auto run = opened<ContrastRun, ContrastConfig>(flags, layers, "contrast", display);
  if (!run) return 0;
  const auto data = open_image_data(flags.text("data"), DataSplit::kTrain);
  const ImageInput& input = run->config.model.input;
  const LabelledImages images = read_images(*data, static_cast<std::int64_t>(input.mean.size()), input.size);
  log::info(images.count(), " images");
  display.start("training");
  return app::end_run(run_contrast(*run, images), run->out);
}

int train(const app::Flags& flags) {
  const app::ConfigLayers layers = layers_of(flags);
  const std::string stage = stage_of(layers);
  if (stage == "classifier") return train_classifier(flags, layers);
  if (stage == "denoiser") return train_prior(flags, layers);
  RESEDA_REQUIRE(stage == "contrast", Errc::kUsage, "stage must be classifier, denoiser or contrast, got '", stage,
                 "'");
  return train_contrast(flags, layers);
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
      .add(
          {.name = "denoiser",
           .word = "MODEL",
           .help = "Denoiser (a recipe with stage: denoiser) that the classifier stands behind, in training and in use",
           .group = "Training",
           .hint = app::ValueHint::kFile})
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
