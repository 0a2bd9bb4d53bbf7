#include "pipelines/speech/training_run.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <chrono>
#include <cmath>
#include <fstream>

#include "io/checkpoint/safetensors.hpp"
#include "modules/core/device.hpp"
#include "modules/core/log.hpp"
#include "pipelines/speech/loudness_distance.hpp"

namespace reseda::speech {
namespace {

constexpr const char* kConfigKey = "reseda.training";
constexpr std::int64_t kLoudnessRate = 16000, kLoudnessSamples = 8192;

double si_sdr_db(const at::Tensor& clean, const at::Tensor& estimate) {
  const at::Tensor c = clean - clean.mean(-1, true), e = estimate - estimate.mean(-1, true);
  const at::Tensor target = (e * c).sum(-1, true) / (c.square().sum(-1, true) + 1e-12) * c;
  return (10.0 * ((target.square().sum(-1) + 1e-12) / ((e - target).square().sum(-1) + 1e-12)).log10())
      .mean()
      .item<double>();
}

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

/// Averaged weights on fixed pairs of held-out recordings: the first call's SI-SDR and loudness distance.
ConfigNode validate_model(const SpeechModel& model, const Mixer& mixer, std::int64_t pairs, std::int64_t samples,
                          c10::Device device) {
  at::NoGradGuard no_grad;
  double sdr = 0, sdr_in = 0, distance = 0, distance_in = 0;
  const std::int64_t size = 4;
  std::int64_t batches = 0;
  // loudness_distance is defined at 16 kHz and needs half a second.
  const bool perceptual = model.config().sample_rate == kLoudnessRate && samples >= kLoudnessSamples;
  for (std::int64_t first = 0; first < pairs; first += size, ++batches) {
    Mixer::Batch batch = mixer.batch(first, size, samples, model.config().level);
    batch = {batch.clean.to(device), batch.noisy.to(device)};
    const at::Tensor y = model.analyse(batch.noisy);
    const double t = model.process().network_time(model.process().t_start());
    const at::Tensor wave =
        model.synthesise(model.network().forward(y, y, at::full({size}, t, y.options().dtype(at::kFloat))), samples);
    sdr += si_sdr_db(batch.clean, wave);
    sdr_in += si_sdr_db(batch.clean, batch.noisy);
    if (!perceptual) continue;
    distance += loudness_distance(batch.clean, wave).mean().item<double>();
    distance_in += loudness_distance(batch.clean, batch.noisy).mean().item<double>();
  }
  ConfigNode line = ConfigNode::map();
  put(line, "si_sdr_db", sdr / static_cast<double>(batches));
  put(line, "input_si_sdr_db", sdr_in / static_cast<double>(batches));
  if (!perceptual) return line;
  put(line, "loudness_distance", distance / static_cast<double>(batches));
  put(line, "input_loudness_distance", distance_in / static_cast<double>(batches));
  return line;
}

std::string training_identity(const TrainingRun& run) {
  ConfigNode node = write_config(run.config);
  node["seed"] = ConfigNode(std::to_string(run.seed));
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

}  // namespace

void TrainingConfig::validate() const {
  RESEDA_REQUIRE(pairs >= 1 && pairs <= 4096, Errc::kUsage, "pairs must be 1 to 4096, got ", pairs);
  RESEDA_REQUIRE(frames >= 64, Errc::kUsage, "frames must be at least 64, got ", frames);
  RESEDA_REQUIRE(precision == "f32" || precision == "bf16", Errc::kUsage, "precision must be f32 or bf16, got '",
                 precision, "'");
  RESEDA_REQUIRE(hold_out == 0 || hold_out >= 2, Errc::kUsage, "hold_out must be 0 or at least 2, got ", hold_out);
  RESEDA_REQUIRE(validation_pairs >= 1, Errc::kUsage, "validation_pairs must be at least 1, got ", validation_pairs);
  loss.validate();
  const std::int64_t samples = (frames - 1) * model.stft.hop;
  RESEDA_REQUIRE(loss.loudness == 0 || (model.sample_rate == kLoudnessRate && samples >= kLoudnessSamples),
                 Errc::kUsage, "loss.loudness needs a model at ", kLoudnessRate, " Hz and crops of at least ",
                 kLoudnessSamples, " samples; frames and model.stft.hop give ", samples, " at ", model.sample_rate,
                 " Hz");
}

bool run_training(const TrainingRun& run) {
  const TrainingConfig& config = run.config;
  config.validate();
  const auto model_file = run.out / "model.safetensors", state_file = run.out / "state.safetensors";
  const bool exists = std::filesystem::exists(state_file);
  RESEDA_REQUIRE(!exists || run.resume, Errc::kOutput, run.out.string(),
                 ": holds a training run already; give --resume to continue it or another folder");
  std::filesystem::create_directories(run.out);

  const PackedAudio audio = read_pack(run.pack, config.hold_out);
  const Mixer mixer(audio.training, config.mixer, config.model.sample_rate, run.seed);
  require_held_out(audio, config.hold_out);
  // Initial weights come from ATen's generator, seeded here and used for nothing else.
  at::manual_seed(run.seed);
  const SpeechModel model(config.model);
  model.network().to(run.device);
  RESEDA_REQUIRE(config.frames % model.network().time_multiple() == 0, Errc::kUsage, "frames must be a multiple of ",
                 model.network().time_multiple(), " for this network, got ", config.frames);
  if (!run.initial.empty() && !exists) model.network().load(io::read_safetensors(run.initial));
  if (config.precision == "bf16") model.network().set_compute_type(at::kBFloat16);
  train::Trainer trainer(model.network().tensors(), config.train);
  const std::string identity = training_identity(run);
  if (exists) {
    const StateDict state = io::read_safetensors(state_file);
    const auto found = state.metadata.find(kConfigKey);
    RESEDA_REQUIRE(found != state.metadata.end() && found->second == identity, Errc::kCheckpoint, state_file.string(),
                   ": was written with another configuration or seed");
    trainer.restore(state);
  }

  RunLog log(run.out / "log.jsonl");
  CounterNoise noise(run.seed);
  const std::int64_t samples = (config.frames - 1) * config.model.stft.hop;
  const auto started = std::chrono::steady_clock::now();
  const std::int64_t first_step = trainer.step();
  double recent = 0;

  train::Trainer::Hooks hooks;
  hooks.stop = run.stop;
  hooks.on_step = [&](std::int64_t step, const train::StepLoss& loss, double norm, double lr) {
    const double total = loss.total.item<double>();
    if (std::isfinite(total)) recent = recent == 0 ? total : 0.98 * recent + 0.02 * total;
    if (step % 50 == 0) {
      ConfigNode line = ConfigNode::map();
      put(line, "step", static_cast<double>(step));
      put(line, "loss", recent);
      for (const auto& [name, value] : loss.parts) put(line, name, value);
      put(line, "gradient_norm", norm);
      put(line, "lr", lr);
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
      put(line, "seconds_per_step", seconds / static_cast<double>(step - first_step));
      log.write(line);
    }
    if (run.progress) run.progress({step, config.train.steps, "loss " + number_text(std::round(recent * 1e4) / 1e4)});
  };
  hooks.save = [&](std::int64_t) {
    StateDict state = trainer.state();
    state.metadata[kConfigKey] = identity;
    io::write_safetensors(model.to_file(trainer.averaged()), model_file);
    io::write_safetensors(state, state_file);
  };
  if (config.hold_out > 0)
    hooks.validate = [&](std::int64_t step) {
      const train::SwappedWeights averaged(model.network().tensors(), trainer.averaged());
      const Mixer held_out(audio.validation, config.mixer, config.model.sample_rate, run.seed + 1);
      ConfigNode line = ConfigNode::map();
      put(line, "validated_step", static_cast<double>(step));
      line.merge(
          validate_model(model, held_out, config.validation_pairs, 2 * samples + config.model.stft.hop, run.device));
      log.write(line);
      log::info("step ", step, ": ", line.to_json());
    };
  return trainer.run(
      [&](std::int64_t step) {
        Mixer::Batch batch = mixer.batch(step, config.pairs, samples, config.model.level);
        batch = {batch.clean.to(run.device), batch.noisy.to(run.device)};
        return few_call_loss(model, config.loss, batch, step,
                             static_cast<double>(step) / static_cast<double>(config.train.steps), noise);
      },
      hooks);
}

}  // namespace reseda::speech
