#include "pipelines/medical/train.hpp"

#include "modules/core/log.hpp"
#include "pipelines/common/train_flags.hpp"
#include "pipelines/medical/slices.hpp"
#include "pipelines/medical/volume_task.hpp"
#include "pipelines/restoration/training_run.hpp"

namespace reseda::medical {
namespace {

struct TrainConfig {
  VolumeTaskConfig task;
  VolumeDegradation degradation;
  restoration::TrainingConfig training;
  template <class V>
  void fields(V& v) {
    v("task", task, "what is restored; a prior has only its intensity");
    v("degradation", degradation, "how slices are degraded for it");
    training.fields(v);
  }
  void validate() const {
    task.validate();
    degradation.validate();
    training.validate();
  }
};

/// Trains a model that restores slices: it sees the measured slice, its neighbours and the level of the noise. Where
/// hold_out is not 0, other crops of the same volumes validate: the figures are of seen anatomy.
bool train_restoration(restoration::TrainingRun& run, const TrainConfig& config, VolumeSet volumes) {
  run.metadata[kTaskKey] = write_config(config.task).to_json();
  const restoration::RestorationModel model = restoration::seeded_model(run);
  const DegradedVolumes pairs(std::move(volumes), config.task, config.degradation);
  return restoration::run_training(run, model, pairs, run.config.hold_out > 0 ? &pairs : nullptr);
}

int train(const app::Flags& flags) {
  const TrainConfig config = app::train_layers(flags).read(TrainConfig{});
  if (app::printed_config(flags, write_config(config))) return 0;

  restoration::TrainingRun run;
  run.config = config.training;
  app::BatchProgress display(app::ProgressStyle::kAuto, 1);
  app::open_run(run, flags, display);
  run.initial = flags.text("init");
  display.start("reading");
  VolumeSet volumes = read_volumes(flags.list("ct"), flags.list("mr"), config.task.intensity);
  log::info(volumes.names.size(), volumes.names.size() == 1 ? " volume" : " volumes");
  display.start("training");
  const bool finished = run.config.model.conditional
                            ? train_restoration(run, config, std::move(volumes))
                            : restoration::run_training(run, slices_of(volumes, run.config.crop));
  return app::end_run(finished, run.out);
}

}  // namespace

app::Verb train_verb() {
  app::Verb verb;
  verb.name = "train";
  verb.about = "Trains a prior or a restoration model on slices of CT and MR volumes, cut along all axes.";
  verb.example = "reseda medical train --ct 'volumes/ct_*' --mr 'volumes/mr_*' -o run --resume";
  verb.flags.add({.name = "ct",
                  .word = "FILE|DIR",
                  .help = "CT volumes in HU (NIfTI, NRRD, MetaImage); a pattern works too; may be repeated",
                  .group = "Data",
                  .hint = app::ValueHint::kFile,
                  .repeatable = true});
  verb.flags.add({.name = "mr",
                  .word = "FILE|DIR",
                  .help = "MR volumes; may be repeated",
                  .group = "Data",
                  .hint = app::ValueHint::kFile,
                  .repeatable = true});
  verb.flags.add({.name = "init",
                  .word = "MODEL",
                  .help = "Model file whose weights training starts from, e.g. for volumes of one's own scanner",
                  .group = "Training",
                  .hint = app::ValueHint::kFile});
  verb.flags.add(app::train_flags("medical/prior", "model, optimiser and loss"));
  verb.run = train;
  return verb;
}

}  // namespace reseda::medical
