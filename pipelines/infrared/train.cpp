#include "pipelines/infrared/train.hpp"

#include "io/checkpoint/safetensors.hpp"
#include "io/record/sha256.hpp"
#include "pipelines/common/train_flags.hpp"
#include "pipelines/infrared/guided_images.hpp"
#include "pipelines/infrared/infrared_model.hpp"
#include "pipelines/restoration/training_run.hpp"

namespace reseda::infrared {
namespace {

/// The second stage of UPSR: a diffusion beside a guide, which the model file holds too.
bool train_guided(restoration::TrainingRun& run, const std::filesystem::path& file, restoration::ImageSet images) {
  const auto guide = restoration::RestorationModel::load(file);
  RESEDA_REQUIRE(guide.config().low_resolution.scale == run.config.model.low_resolution.scale, Errc::kUsage,
                 "--guide: ", file.string(), " enlarges by ", guide.config().low_resolution.scale,
                 ", the recipe's model.low_resolution.scale is ", run.config.model.low_resolution.scale);
  run.metadata["reseda.guide"] = io::sha256_file(file);
  run.complete_file = [&](StateDict& model) { model = InfraredModel::join(std::move(model), guide); };
  restoration::HeldOut parts = restoration::hold_out(std::move(images), run.config.hold_out);
  const restoration::RestorationModel model = restoration::seeded_model(run);
  const GuidedImages training(model, guide, std::move(parts.training));
  const GuidedImages validation(model, guide, std::move(parts.validation));
  return restoration::run_training(run, model, training, run.config.hold_out > 0 ? &validation : nullptr);
}

int train(const app::Flags& flags) {
  restoration::TrainingRun run;
  run.config = app::train_layers(flags).read(run.config);
  if (app::printed_config(flags, write_config(run.config))) return 0;

  app::BatchProgress display(app::ProgressStyle::kAuto, 1);
  app::open_run(run, flags, display);
  run.initial = flags.text("init");
  const std::vector<std::filesystem::path> folders(flags.list("data").begin(), flags.list("data").end());
  restoration::ImageSet images = restoration::read_images(folders, run.config.crop);
  display.start("training");
  const bool finished = flags.given("guide") ? train_guided(run, flags.text("guide"), std::move(images))
                                             : restoration::run_training(run, std::move(images));
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
  verb.flags.add({.name = "guide",
                  .word = "FILE",
                  .help =
                      "Model of one call whose picture the network sees and whose doubts set the noise of each pixel "
                      "(recipe infrared/sample-x4)",
                  .group = "Data",
                  .hint = app::ValueHint::kFile});
  verb.flags.add({.name = "init",
                  .word = "FILE",
                  .help = "Model file whose weights are the first ones",
                  .group = "Training",
                  .hint = app::ValueHint::kFile});
  verb.flags.add(app::train_flags("restoration/rddm-demo", "model, optimiser, degradation and loss"));
  verb.run = train;
  return verb;
}

}  // namespace reseda::infrared
