#include "pipelines/speech/training_config.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <map>

#include "pipelines/speech/loudness_distance.hpp"

namespace reseda::speech {
namespace {

constexpr std::int64_t kLoudnessRate = 16000, kLoudnessSamples = 8192;
constexpr std::int64_t kValidationBatch = 4;

double si_sdr_db(const at::Tensor& clean, const at::Tensor& estimate) {
  const at::Tensor c = clean - clean.mean(-1, true), e = estimate - estimate.mean(-1, true);
  const at::Tensor target = (e * c).sum(-1, true) / (c.square().sum(-1, true) + 1e-12) * c;
  return (10.0 * ((target.square().sum(-1) + 1e-12) / ((e - target).square().sum(-1) + 1e-12)).log10())
      .mean()
      .item<double>();
}

train::StepLoss official_step(const SpeechModel& model, const TrainingConfig& config, const Mixer::Batch& batch,
                              std::int64_t step, NoiseSource& noise) {
  const SpeechModelConfig& front = model.config();
  const OfficialLoss loss(config.official, front.parametrization, front.stft, front.transform);
  const at::Tensor x0 = model.analyse(batch.clean), y = model.analyse(batch.noisy);
  const DegradedBatch degraded = loss.degrade(model.process(), x0, y, noise, static_cast<std::uint32_t>(step));
  const ParametrizedNetwork network = parametrize(front.parametrization, model.network(), model.process());
  return {loss(network.call(degraded.x_t, y, degraded.t), x0, degraded), {}};
}

/// Sums of figures over batches, by name.
class Means {
 public:
  void add(const std::string& name, double value) { sums_[name] += value; }
  ConfigNode over(std::int64_t batches) const {
    ConfigNode out = ConfigNode::map();
    for (const auto& [name, sum] : sums_) {
      const double mean = sum / static_cast<double>(batches);
      if (std::isfinite(mean)) out[name] = ConfigNode(number_text(std::round(mean * 1e5) / 1e5));
    }
    return out;
  }

 private:
  std::map<std::string, double> sums_;
};

void add_first_call(const SpeechModel& model, const Mixer::Batch& batch, Means& means) {
  const std::int64_t samples = batch.clean.size(1);
  const at::Tensor y = model.analyse(batch.noisy);
  const double t = model.process().network_time(model.process().t_start());
  const at::Tensor times = at::full({y.size(0)}, t, y.options().dtype(at::kFloat));
  const at::Tensor wave = model.synthesise(model.network().forward(y, y, times), samples);
  means.add("si_sdr_db", si_sdr_db(batch.clean, wave));
  means.add("input_si_sdr_db", si_sdr_db(batch.clean, batch.noisy));
  // loudness_distance is defined at 16 kHz and needs half a second.
  if (model.config().sample_rate != kLoudnessRate || samples < kLoudnessSamples) return;
  means.add("loudness_distance", loudness_distance(batch.clean, wave).mean().item<double>());
  means.add("input_loudness_distance", loudness_distance(batch.clean, batch.noisy).mean().item<double>());
}

}  // namespace

void TrainingConfig::validate() const {
  RESEDA_REQUIRE(objective == "few_call" || objective == "official", Errc::kUsage,
                 "objective must be few_call or official, got '", objective, "'");
  RESEDA_REQUIRE(pairs >= 1 && pairs <= 4096, Errc::kUsage, "pairs must be 1 to 4096, got ", pairs);
  RESEDA_REQUIRE(frames >= 64, Errc::kUsage, "frames must be at least 64, got ", frames);
  RESEDA_REQUIRE(precision == "f32" || precision == "bf16", Errc::kUsage, "precision must be f32 or bf16, got '",
                 precision, "'");
  RESEDA_REQUIRE(hold_out == 0 || hold_out >= 2, Errc::kUsage, "hold_out must be 0 or at least 2, got ", hold_out);
  RESEDA_REQUIRE(validation_pairs >= 1, Errc::kUsage, "validation_pairs must be at least 1, got ", validation_pairs);
  if (objective == "official") {
    official.validate();
    RESEDA_REQUIRE(official.num_frames <= frames, Errc::kUsage, "official.num_frames must be at most frames (", frames,
                   "), got ", official.num_frames);
    return;
  }
  loss.validate();
  RESEDA_REQUIRE(loss.loudness == 0 || (model.sample_rate == kLoudnessRate && samples() >= kLoudnessSamples),
                 Errc::kUsage, "loss.loudness needs a model at ", kLoudnessRate, " Hz and crops of at least ",
                 kLoudnessSamples, " samples; frames and model.stft.hop give ", samples(), " at ", model.sample_rate,
                 " Hz");
}

train::StepLoss training_loss(const SpeechModel& model, const TrainingConfig& config, const Mixer::Batch& batch,
                              std::int64_t step, double progress, NoiseSource& noise) {
  if (config.objective == "official") return official_step(model, config, batch, step, noise);
  return few_call_loss(model, config.loss, batch, step, progress, noise);
}

ConfigNode validation_figures(const SpeechModel& model, const TrainingConfig& config, const Mixer& held_out,
                              std::uint64_t seed, c10::Device device) {
  at::NoGradGuard no_grad;
  Means means;
  CounterNoise noise(seed);
  const bool official = config.objective == "official";
  const std::int64_t samples = official ? config.samples() : 2 * config.samples() + config.model.stft.hop;
  std::int64_t batches = 0;
  for (std::int64_t first = 0; first < config.validation_pairs; first += kValidationBatch, ++batches) {
    Mixer::Batch batch = held_out.batch(first, kValidationBatch, samples, model.config().level);
    batch = {batch.clean.to(device), batch.noisy.to(device)};
    if (official)
      means.add("loss", official_step(model, config, batch, first, noise).total.item<double>());
    else
      add_first_call(model, batch, means);
  }
  return means.over(batches);
}

}  // namespace reseda::speech
