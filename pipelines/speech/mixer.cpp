#include "pipelines/speech/mixer.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "modules/core/error.hpp"

namespace reseda::speech {
namespace {

std::vector<double> cumulative(const Recordings& recordings) {
  std::vector<double> sums;
  double total = 0;
  for (std::size_t i = 0; i < recordings.waves.size(); ++i)
    sums.push_back(total += recordings.weights[i] * static_cast<double>(recordings.waves[i].numel()));
  return sums;
}

std::size_t pick(const std::vector<double>& cumulated, Chooser& choose) {
  const double at = choose.uniform() * cumulated.back();
  const auto found = std::upper_bound(cumulated.begin(), cumulated.end(), at);
  return std::min(static_cast<std::size_t>(found - cumulated.begin()), cumulated.size() - 1);
}

/// Plays `count` samples from position `start` at `speed` with Catmull-Rom interpolation; beyond the end is silence.
void play(const at::Tensor& wave, double start, double speed, std::int64_t count, float* out) {
  const auto* x = wave.data_ptr<std::int16_t>();
  const std::int64_t length = wave.numel();
  const auto sample = [&](std::int64_t i) { return i >= 0 && i < length ? static_cast<float>(x[i]) / 32768.0F : 0.0F; };
  for (std::int64_t n = 0; n < count; ++n) {
    const double position = start + speed * static_cast<double>(n);
    const auto i = static_cast<std::int64_t>(std::floor(position));
    const auto f = static_cast<float>(position - static_cast<double>(i));
    const float a = sample(i - 1), b = sample(i), c = sample(i + 1), d = sample(i + 2);
    out[n] = b + 0.5F * f * (c - a + f * (2 * a - 5 * b + 4 * c - d + f * (3 * (b - c) + d - a)));
  }
}

/// A smooth random gain over frequency: control points spaced evenly in log frequency, `spread_db` standard deviation.
at::Tensor equaliser(std::int64_t bins, double spread_db, Chooser& choose) {
  constexpr int kPoints = 7;
  std::array<double, kPoints> points{};
  for (double& point : points) point = spread_db * choose.normal();
  at::Tensor gain = at::empty({bins}, at::kFloat);
  auto* g = gain.data_ptr<float>();
  const double low = std::log(0.004), high = std::log(1.0);  // from 32 Hz at 16 kHz
  for (std::int64_t k = 0; k < bins; ++k) {
    const double share = std::max(0.004, static_cast<double>(k) / static_cast<double>(bins - 1));
    const double place = (std::log(share) - low) / (high - low) * (kPoints - 1);
    const int i = std::min(kPoints - 2, static_cast<int>(place));
    const double w = 0.5 - 0.5 * std::cos(std::numbers::pi * (place - i));
    g[k] = static_cast<float>(std::pow(
        10.0, ((1 - w) * points[static_cast<std::size_t>(i)] + w * points[static_cast<std::size_t>(i) + 1]) / 20.0));
  }
  return gain;
}

std::int64_t fft_length(std::int64_t samples) {
  std::int64_t n = 1024;
  while (n < samples) n *= 2;
  return n;
}

at::Tensor equalised(const at::Tensor& wave, double spread_db, Chooser& choose) {
  if (spread_db <= 0) return wave;
  const std::int64_t n = fft_length(wave.numel());
  const at::Tensor spectrum = at::fft_rfft(wave, n) * equaliser(n / 2 + 1, spread_db, choose);
  return at::fft_irfft(spectrum, n).narrow(0, 0, wave.numel());
}

at::Tensor convolved(const at::Tensor& wave, const at::Tensor& response) {
  const std::int64_t n = fft_length(wave.numel() + response.numel());
  return at::fft_irfft(at::fft_rfft(wave, n) * at::fft_rfft(response, n), n).narrow(0, 0, wave.numel());
}

double power(const at::Tensor& wave) { return wave.square().mean().item<double>(); }

}  // namespace

void MixerConfig::validate() const {
  RESEDA_REQUIRE(snr_low <= snr_high, Errc::kUsage, "mixer.snr_low must not exceed snr_high");
  RESEDA_REQUIRE(p_noise >= 0 && p_babble >= 0 && p_synthetic >= 0 && p_noise + p_babble + p_synthetic <= 1.0 + 1e-9,
                 Errc::kUsage, "mixer.p_noise, p_babble and p_synthetic must be chances that sum to at most 1");
  RESEDA_REQUIRE(max_noises >= 1, Errc::kUsage, "mixer.max_noises must be at least 1");
  RESEDA_REQUIRE(p_room >= 0 && p_room <= 1, Errc::kUsage, "mixer.p_room must be in [0, 1], got ", p_room);
  RESEDA_REQUIRE(early_ms > 0, Errc::kUsage, "mixer.early_ms must be positive, got ", early_ms);
  RESEDA_REQUIRE(speed_low > 0.25 && speed_low <= speed_high && speed_high < 4, Errc::kUsage,
                 "mixer.speed_low to speed_high must lie in (0.25, 4)");
}

double active_power(const at::Tensor& wave, std::int64_t rate_hz) {
  const std::int64_t frame = std::max<std::int64_t>(1, rate_hz / 50), frames = wave.numel() / frame;
  if (frames < 1) return power(wave);
  const at::Tensor energy = wave.narrow(0, 0, frames * frame).to(at::kDouble).view({frames, frame}).square().mean(1);
  const at::Tensor active = energy >= energy.max() * 1e-4;
  return energy.masked_select(active).mean().item<double>();
}

Mixer::Mixer(const TrainingAudio& audio, MixerConfig config, std::int64_t rate_hz, std::uint64_t seed)
    : audio_(audio),
      config_(config),
      rate_hz_(rate_hz),
      seed_(seed),
      clean_chances_(cumulative(audio.clean)),
      noise_chances_(cumulative(audio.noise)) {
  config_.validate();
  RESEDA_REQUIRE(!audio.clean.waves.empty(), Errc::kInput, "training: no clean recordings");
  // What the three chances leave is recorded noise mixed with babble.
  const bool recorded = config_.p_noise > 0 || config_.p_babble + config_.p_synthetic < 1.0 - 1e-9;
  RESEDA_REQUIRE(!audio.noise.waves.empty() || !recorded, Errc::kInput, "training: no noise recordings");
}

/// Speech from a random place; where a recording ends, a short pause and another recording follow.
at::Tensor Mixer::excerpt(const Recordings& from, std::int64_t samples, Chooser& choose) const {
  at::Tensor out = at::zeros({samples}, at::kFloat);
  auto* values = out.data_ptr<float>();
  const std::vector<double>& chances = &from == &audio_.clean ? clean_chances_ : noise_chances_;
  const double speed = choose.uniform(config_.speed_low, config_.speed_high);
  std::int64_t at = 0;
  for (int tries = 0; at < samples && tries < 16; ++tries) {
    const at::Tensor& wave = from.waves[pick(chances, choose)];
    const double length = static_cast<double>(wave.numel()), wanted = speed * static_cast<double>(samples - at);
    const double start = at > 0 ? 0.0 : choose.uniform() * std::max(0.0, length - std::min(wanted, length) * 0.7);
    const auto count = std::min(samples - at, static_cast<std::int64_t>((length - start) / speed));
    if (count > 0) play(wave, start, speed, count, values + at);
    at += count + static_cast<std::int64_t>(choose.uniform(0.1, 0.5) * static_cast<double>(rate_hz_));
  }
  return out;
}

at::Tensor Mixer::speech(std::int64_t samples, Chooser& choose, at::Tensor& target) const {
  at::Tensor dry = excerpt(audio_.clean, samples, choose);
  for (int tries = 0; tries < 8 && power(dry) < 1e-7; ++tries) dry = excerpt(audio_.clean, samples, choose);
  dry = equalised(dry, config_.speech_eq_db, choose);
  target = dry;
  if (audio_.rooms.waves.empty() || !choose.chance(config_.p_room)) return dry;
  const auto& rooms = audio_.rooms.waves;
  at::Tensor response =
      rooms[static_cast<std::size_t>(choose.below(static_cast<std::int64_t>(rooms.size())))].to(at::kFloat) / 32768.0;
  const std::int64_t direct = response.abs().argmax().item<std::int64_t>();
  response = response.slice(0, direct, std::min(response.numel(), direct + rate_hz_)) / response.norm().clamp_min(1e-9);
  const auto early = std::min<std::int64_t>(
      response.numel(), static_cast<std::int64_t>(config_.early_ms * 1e-3 * static_cast<double>(rate_hz_)));
  target = convolved(dry, response.narrow(0, 0, early));
  return convolved(dry, response);
}

at::Tensor Mixer::recorded_noise(std::int64_t samples, Chooser& choose) const {
  // One noise most of the time; further ones are quieter.
  std::int64_t count = 1;
  while (count < config_.max_noises && choose.chance(0.35)) ++count;
  at::Tensor sum = at::zeros({samples}, at::kFloat);
  for (std::int64_t i = 0; i < count; ++i) {
    const at::Tensor& wave = audio_.noise.waves[pick(noise_chances_, choose)];
    const double speed = choose.uniform(config_.speed_low, config_.speed_high);
    at::Tensor part = at::zeros({samples}, at::kFloat);
    double start = choose.uniform() * static_cast<double>(wave.numel());
    for (std::int64_t at = 0; at < samples;) {  // a recording that is too short is repeated
      const auto run = std::clamp<std::int64_t>(
          static_cast<std::int64_t>((static_cast<double>(wave.numel()) - start) / speed), 1, samples - at);
      play(wave, start, speed, run, part.data_ptr<float>() + at);
      at += run;
      start = 0;
    }
    const double level =
        std::pow(10.0, (i == 0 ? 0.0 : choose.uniform(-12.0, 0.0)) / 20.0) / std::sqrt(power(part) + 1e-12);
    sum += equalised(part, config_.noise_eq_db, choose) * level;
  }
  return sum;
}

at::Tensor Mixer::babble(std::int64_t samples, Chooser& choose) const {
  const std::int64_t voices = 3 + choose.below(6);
  at::Tensor sum = at::zeros({samples}, at::kFloat);
  for (std::int64_t i = 0; i < voices; ++i) {
    const at::Tensor voice = excerpt(audio_.clean, samples, choose);
    sum += voice * (std::pow(10.0, choose.uniform(-4.0, 4.0) / 20.0) / std::sqrt(active_power(voice, rate_hz_) + 1e-9));
  }
  return equalised(sum, config_.noise_eq_db * 0.6, choose);
}

/// White noise with a random slope of 0 to -6 dB per octave.
at::Tensor Mixer::synthetic(std::int64_t samples, Chooser& choose) const {
  at::Tensor white = at::empty({samples}, at::kFloat);
  auto* values = white.data_ptr<float>();
  for (std::int64_t i = 0; i < samples; ++i) values[i] = static_cast<float>(choose.uniform(-1.0, 1.0));
  const std::int64_t n = fft_length(samples);
  const at::Tensor slope = at::arange(1, n / 2 + 2, at::kFloat).pow(-choose.uniform(0.0, 1.0));
  return equalised(at::fft_irfft(at::fft_rfft(white, n) * slope, n).narrow(0, 0, samples), config_.noise_eq_db, choose);
}

at::Tensor Mixer::noise(std::int64_t samples, Chooser& choose) const {
  const double kind = choose.uniform();
  if (kind < config_.p_noise) return recorded_noise(samples, choose);
  if (kind < config_.p_noise + config_.p_babble) return babble(samples, choose);
  if (kind < config_.p_noise + config_.p_babble + config_.p_synthetic || audio_.noise.waves.empty())
    return synthetic(samples, choose);
  const at::Tensor voices = babble(samples, choose);
  return voices / std::sqrt(power(voices) + 1e-12) +
         recorded_noise(samples, choose) * std::pow(10.0, choose.uniform(-8.0, 8.0) / 20.0);
}

Mixer::Batch Mixer::batch(std::int64_t step, std::int64_t pairs, std::int64_t samples, double level) const {
  std::vector<at::Tensor> clean, noisy;
  for (std::int64_t i = 0; i < pairs; ++i) {
    Chooser choose(seed_, "pair " + std::to_string(i), "mixer", static_cast<std::uint32_t>(step));
    at::Tensor target;
    const at::Tensor wet = speech(samples, choose, target);
    at::Tensor disturbance = noise(samples, choose);
    const double snr_db = choose.uniform(config_.snr_low, config_.snr_high);
    disturbance = disturbance * std::sqrt(active_power(wet, rate_hz_) / (power(disturbance) + 1e-12) *
                                          std::pow(10.0, -snr_db / 10.0));
    const at::Tensor mixture = wet + disturbance;
    const double gain =
        level * std::pow(10.0, config_.level_jitter_db * choose.normal() / 20.0) / std::sqrt(power(mixture) + 1e-12);
    clean.push_back(target * gain);
    noisy.push_back(mixture * gain);
  }
  return {at::stack(clean), at::stack(noisy)};
}

}  // namespace reseda::speech
