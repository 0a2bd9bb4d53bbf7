#include "pipelines/speech/train.hpp"

#include "pipelines/common/train_flags.hpp"
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
  run.config = app::train_layers(flags).read(run.config);
  if (app::printed_config(flags, write_config(run.config))) return 0;

  app::BatchProgress display(app::ProgressStyle::kAuto, 1);
  app::open_run(run, flags, display);
  run.pack = flags.text("pack").empty() ? run.out / "pack.safetensors" : std::filesystem::path(flags.text("pack"));
  run.initial = flags.text("init");
  const TrainingSources sources{folders(flags, "clean"), folders(flags, "noise"), folders(flags, "rooms")};
  std::filesystem::create_directories(run.out);
  display.start("decoding");
  make_pack(sources, run.config.model.sample_rate, run.pack, run.progress);
  display.start("training");
  const bool finished = run_training(run);
  return app::end_run(finished, run.out);
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
  verb.flags.add({.name = "init",
                  .word = "FILE",
                  .help = "Model file of the same network whose weights the run starts from",
                  .group = "Training",
                  .hint = app::ValueHint::kFile});
  verb.flags.add(app::train_flags("speech/reseda-16k", "model, optimiser, mixer and loss"));
  verb.run = train;
  return verb;
}

}  // namespace reseda::speech
