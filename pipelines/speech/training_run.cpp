#include "pipelines/speech/training_run.hpp"

#include <ATen/ATen.h>

#include <chrono>
#include <cmath>
#include <fstream>

#include "io/checkpoint/safetensors.hpp"
#include "modules/core/device.hpp"
#include "modules/core/log.hpp"
#include "pipelines/speech/audio_pack.hpp"

namespace reseda::speech {
namespace {

constexpr const char* kConfigKey = "reseda.training";

/// One JSON object per line, appended; a log of the run for people and plots.
class RunLog {
 public:
  explicit RunLog(const std::filesystem::path& file) : out_(file, std::ios::app) {
    RESEDA_REQUIRE(out_.good(), Errc::kOutput, file.string(), ": cannot be written");
  }
  void write(const ConfigNode& line) {
    out_ << line.to_json() << '\n';
    out_.flush();
  }

 private:
  std::ofstream out_;
};

/// Numbers that JSON cannot hold are left out.
void put(ConfigNode& node, const std::string& key, double value) {
  if (!std::isfinite(value)) return;
  node[key] = ConfigNode(number_text(std::round(value * 1e5) / 1e5));
}

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

/// The state of a run in a folder.
class SavedRun {
 public:
  SavedRun(const TrainingRun& run, std::string identity)
      : model_(run.out / "model.safetensors"), state_(run.out / "state.safetensors"), identity_(std::move(identity)) {}

  /// Continues a run that the folder holds.
  void restore(train::Trainer& trainer) const {
    if (!std::filesystem::exists(state_)) return;
    const StateDict state = io::read_safetensors(state_);
    const auto found = state.metadata.find(kConfigKey);
    RESEDA_REQUIRE(found != state.metadata.end() && found->second == identity_, Errc::kCheckpoint, state_.string(),
                   ": was written with another configuration, seed or other recordings");
    trainer.restore(state);
  }

  void save(const SpeechModel& model, const train::Trainer& trainer) const {
    StateDict state = trainer.state();
    state.metadata[kConfigKey] = identity_;
    io::write_safetensors(model.to_file(trainer.averaged()), model_);
    io::write_safetensors(state, state_);
  }

 private:
  std::filesystem::path model_, state_;
  std::string identity_;
};

/// Writes a line every 50 steps and keeps the running mean of the loss.
class StepLog {
 public:
  StepLog(RunLog& log, std::int64_t first_step) : log_(log), first_step_(first_step) {}

  double add(std::int64_t step, const train::StepLoss& loss, double gradient_norm, double learning_rate) {
    const double total = loss.total.item<double>();
    if (std::isfinite(total)) recent_ = recent_ == 0 ? total : 0.98 * recent_ + 0.02 * total;
    if (step % 50 != 0) return recent_;
    ConfigNode line = ConfigNode::map();
    put(line, "step", static_cast<double>(step));
    put(line, "loss", recent_);
    for (const auto& [name, value] : loss.parts) put(line, name, value);
    put(line, "gradient_norm", gradient_norm);
    put(line, "lr", learning_rate);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
    put(line, "seconds_per_step", seconds / static_cast<double>(step - first_step_));
    log_.write(line);
    return recent_;
  }

 private:
  RunLog& log_;
  std::int64_t first_step_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  double recent_ = 0;
};

}  // namespace

bool run_training(const TrainingRun& run) {
  const TrainingConfig& config = run.config;
  config.validate();
  RESEDA_REQUIRE(run.resume || !std::filesystem::exists(run.out / "state.safetensors"), Errc::kOutput, run.out.string(),
                 ": holds a training run already; give --resume to continue it or another folder");
  std::filesystem::create_directories(run.out);

  const PackedAudio audio = read_pack(run.pack, config.hold_out);
  const Mixer mixer(audio.training, config.mixer, config.model.sample_rate, run.seed);
  require_held_out(audio, config.hold_out);
  const SpeechModel model = starting_model(run);
  train::Trainer trainer(model.network().tensors(), config.train);
  const SavedRun saved(run, training_identity(run, audio));
  saved.restore(trainer);

  RunLog log(run.out / "log.jsonl");
  StepLog steps(log, trainer.step());
  CounterNoise noise(run.seed);
  train::Trainer::Hooks hooks;
  hooks.stop = run.stop;
  hooks.on_step = [&](std::int64_t step, const train::StepLoss& loss, double norm, double lr) {
    const double recent = steps.add(step, loss, norm, lr);
    if (run.progress) run.progress({step, config.train.steps, "loss " + number_text(std::round(recent * 1e4) / 1e4)});
  };
  hooks.save = [&](std::int64_t) { saved.save(model, trainer); };
  if (config.hold_out > 0)
    hooks.validate = [&](std::int64_t step) {
      const train::SwappedWeights averaged(model.network().tensors(), trainer.averaged());
      const Mixer held_out(audio.validation, config.mixer, config.model.sample_rate, run.seed + 1);
      ConfigNode line = ConfigNode::map();
      put(line, "validated_step", static_cast<double>(step));
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
