#include "pipelines/speech/training_run.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "io/checkpoint/safetensors.hpp"
#include "modules/core/device.hpp"
#include "modules/core/log.hpp"
#include "pipelines/common/training_folder.hpp"
#include "pipelines/speech/audio_pack.hpp"

namespace reseda::speech {
namespace {

/// Everything a resumed run must agree on.
std::string training_identity(const TrainingRun& run, const PackedAudio& audio) {
  ConfigNode node = write_config(run.config);
  node["seed"] = ConfigNode(std::to_string(run.seed));
  node["pack"] = ConfigNode(audio.sources);
  return node.to_json();
}

/// A validation that cannot be made should fail before hours of training.
void require_held_out(const PackedAudio& audio, std::int64_t hold_out) {
  const bool clean = !audio.validation.clean.waves.empty();
  const bool noise = !audio.validation.noise.waves.empty() || audio.training.noise.waves.empty();
  RESEDA_REQUIRE(hold_out == 0 || (clean && noise), Errc::kInput, "training: hold_out ", hold_out, " leaves no ",
                 clean ? "noise" : "clean recording",
                 " for validation; give a folder of at least that many recordings, a smaller hold_out, or 0");
}

/// The network with its first weights: random ones, or those of `initial`.
SpeechModel starting_model(const TrainingRun& run) {
  // Initial weights come from ATen's generator, seeded here and used for nothing else.
  at::manual_seed(run.seed);
  SpeechModel model(run.config.model);
  nets::Network& network = model.network();
  network.to(run.device);
  RESEDA_REQUIRE(run.config.frames % network.time_multiple() == 0, Errc::kUsage, "frames must be a multiple of ",
                 network.time_multiple(), " for this network, got ", run.config.frames);
  if (!run.initial.empty()) network.load(io::read_safetensors(run.initial));
  if (run.config.precision == "bf16") network.set_compute_type(at::kBFloat16);
  return model;
}

}  // namespace

bool run_training(const TrainingRun& run) {
  const TrainingConfig& config = run.config;
  config.validate();
  const PackedAudio audio = read_pack(run.pack, config.hold_out);
  const Mixer mixer(audio.training, config.mixer, config.model.sample_rate, run.seed);
  require_held_out(audio, config.hold_out);
  const SpeechModel model = starting_model(run);
  train::Trainer trainer(model.network().tensors(), config.train);
  const app::TrainingFolder folder(run.out, training_identity(run, audio), run.resume);
  folder.restore(trainer);

  app::RunLog log(folder.log_file());
  app::StepLog steps(log, trainer.step());
  CounterNoise noise(run.seed);
  train::Trainer::Hooks hooks;
  hooks.stop = run.stop;
  hooks.on_step = [&](std::int64_t step, const train::StepLoss& loss, double norm, double lr) {
    const double recent = steps.add(step, loss, norm, lr);
    if (run.progress) run.progress({step, config.train.steps, "loss " + number_text(std::round(recent * 1e4) / 1e4)});
  };
  hooks.save = [&](std::int64_t) { folder.save(model.to_file(trainer.averaged()), trainer); };
  if (config.hold_out > 0)
    hooks.validate = [&](std::int64_t step) {
      const train::SwappedWeights averaged(model.network().tensors(), trainer.averaged());
      const Mixer held_out(audio.validation, config.mixer, config.model.sample_rate, run.seed + 1);
      ConfigNode line = ConfigNode::map();
      app::put_figure(line, "validated_step", static_cast<double>(step));
      line.merge(validation_figures(model, config, held_out, run.seed + 1, run.device));
      log.write(line);
      log::info("step ", step, ": ", line.to_json());
    };
  return trainer.run(
      [&](std::int64_t step) {
        Mixer::Batch batch = mixer.batch(step, config.pairs, config.samples(), config.model.level);
        batch = {batch.clean.to(run.device), batch.noisy.to(run.device)};
        const double progress = static_cast<double>(step) / static_cast<double>(config.train.steps);
        return training_loss(model, config, batch, step, progress, noise);
      },
      hooks);
}

}  // namespace reseda::speech
