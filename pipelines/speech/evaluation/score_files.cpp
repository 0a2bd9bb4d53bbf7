#include "pipelines/speech/evaluation/score_files.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "io/audio/audio_file.hpp"
#include "modules/core/error.hpp"
#include "modules/metrics/delay.hpp"
#include "modules/metrics/log_spectral_distance.hpp"
#include "modules/metrics/segmental_snr.hpp"
#include "modules/metrics/si_sdr.hpp"
#include "modules/metrics/stoi.hpp"

namespace reseda::speech {
namespace {

constexpr double kMostDelaySeconds = 0.1;

/// A partner's wave, checked against the clean one's rate and channels.
at::Tensor read_partner(const std::filesystem::path& file, const io::AudioInfo& clean) {
  io::AudioInfo info;
  const at::Tensor wave = io::read_audio(file, &info);
  const std::string name = file.string();
  RESEDA_REQUIRE(info.format.sample_rate_hz == clean.format.sample_rate_hz, Errc::kInput, name, ": ",
                 info.format.sample_rate_hz, " Hz, the clean file has ", clean.format.sample_rate_hz, " Hz");
  RESEDA_REQUIRE(wave.size(0) == clean.format.channels, Errc::kInput, name, ": ", wave.size(0),
                 " channels, the clean file has ", clean.format.channels);
  RESEDA_REQUIRE(wave.size(1) > 0, Errc::kInput, name, ": no samples");
  return wave;
}

}  // namespace

Quality measure_quality(const at::Tensor& clean, const at::Tensor& estimate, std::int64_t rate_hz) {
  Quality mean{0, 0, 0, 0};
  for (std::int64_t c = 0; c < clean.size(0); ++c) {
    const at::Tensor x = clean[c].to(at::kDouble), e = estimate[c].to(at::kDouble);
    mean.si_sdr += metrics::si_sdr(x, e);
    mean.estoi += metrics::estoi(x, e, rate_hz);
    mean.lsd += metrics::log_spectral_distance(x, e, rate_hz);
    mean.seg_snr += metrics::segmental_snr(x, e, rate_hz);
  }
  for (double* value : {&mean.si_sdr, &mean.estoi, &mean.lsd, &mean.seg_snr})
    *value /= static_cast<double>(clean.size(0));
  return mean;
}

EvaluationWaves read_waves(const EvaluationItem& item, LengthRule rule) {
  RESEDA_REQUIRE(item.problem.empty(), Errc::kInput, item.name, ": ", item.problem);
  EvaluationWaves waves;
  io::AudioInfo info;
  waves.clean = io::read_audio(item.clean, &info);
  RESEDA_REQUIRE(waves.clean.size(1) > 0, Errc::kInput, item.clean.string(), ": no samples");
  waves.rate_hz = info.format.sample_rate_hz;
  waves.enhanced = read_partner(item.enhanced, info);
  waves.length_difference = waves.enhanced.size(1) - waves.clean.size(1);
  if (!item.noisy.empty()) waves.noisy = read_partner(item.noisy, info);

  std::int64_t length = std::min(waves.clean.size(1), waves.enhanced.size(1));
  if (waves.noisy) length = std::min(length, waves.noisy->size(1));
  const auto fit = [&](at::Tensor& wave, const std::filesystem::path& file) {
    RESEDA_REQUIRE(rule == LengthRule::kShortest || wave.size(1) == waves.clean.size(1), Errc::kInput, file.string(),
                   ": ", wave.size(1), " samples, the clean file has ", waves.clean.size(1),
                   " (--lengths shortest compares what all have)");
  };
  fit(waves.enhanced, item.enhanced);
  if (waves.noisy) fit(*waves.noisy, item.noisy);
  waves.clean = waves.clean.narrow(1, 0, length);
  waves.enhanced = waves.enhanced.narrow(1, 0, length);
  if (waves.noisy) waves.noisy = waves.noisy->narrow(1, 0, length);
  return waves;
}

ItemScores score_item(const EvaluationItem& item, LengthRule rule) {
  const EvaluationWaves waves = read_waves(item, rule);
  ItemScores scores{.enhanced = measure_quality(waves.clean, waves.enhanced, waves.rate_hz), .noisy = {}};
  if (waves.noisy) scores.noisy = measure_quality(waves.clean, *waves.noisy, waves.rate_hz);
  scores.seconds = static_cast<double>(waves.clean.size(1)) / static_cast<double>(waves.rate_hz);
  scores.length_difference = waves.length_difference;
  scores.delay = metrics::delay_samples(waves.clean.mean(0), waves.enhanced.mean(0),
                                        std::llround(kMostDelaySeconds * static_cast<double>(waves.rate_hz)));
  return scores;
}

}  // namespace reseda::speech
