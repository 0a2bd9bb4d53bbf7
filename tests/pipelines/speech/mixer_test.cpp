#include "pipelines/speech/mixer.hpp"

#include <array>
#include <vector>

#include "tests/pipelines/speech/speech_fixture.hpp"

namespace reseda::speech {
namespace {

constexpr std::int64_t kRate = 16000;

TrainingAudio made_audio() {
  TrainingAudio audio;
  audio.clean.waves = {as_int16(made_speech(40000)), as_int16(made_speech(30000, kRate, 210))};
  audio.clean.weights = {1.0, 1.0};
  audio.noise.waves = {as_int16(made_noise(50000, 1)), as_int16(made_noise(3000, 2, 0.02))};
  audio.noise.weights = {1.0, 1.0};
  at::Tensor room = made_noise(4000, 3, 0.1) * at::exp(-at::arange(4000, at::kFloat) / 600.0);
  room[40] = 0.9;
  audio.rooms.waves = {as_int16(room)};
  audio.rooms.weights = {1.0};
  return audio;
}

/// No room, no equaliser, one level.
MixerConfig plain() { return {.p_room = 0, .speech_eq_db = 0, .noise_eq_db = 0, .level_jitter_db = 0}; }

double measured_snr_db(const at::Tensor& clean, const at::Tensor& noisy) {
  const double noise = (noisy - clean).to(at::kDouble).square().mean().item<double>();
  return 10.0 * std::log10(active_power(clean, kRate) / noise);
}

TEST(ActivePower, IsTheMeanOverFramesWithin40DbOfTheLoudest) {
  // Frames of 20 samples at 1 kHz: one of amplitude 1, one 39 dB below, one 41 dB below.
  const double kept = std::pow(10.0, -3.9), dropped = std::pow(10.0, -4.1);
  const at::Tensor wave =
      at::cat({at::ones({20}), at::full({20}, std::sqrt(kept)), at::full({20}, -std::sqrt(dropped))}).to(at::kFloat);
  EXPECT_NEAR(active_power(wave, 1000), (1.0 + kept) / 2, 1e-6);
}

TEST(ActivePower, OfShortAndSilentWaves) {
  EXPECT_NEAR(active_power(at::full({5}, 0.5F), 1000), 0.25, 1e-7) << "shorter than a frame: the mean power";
  EXPECT_EQ(active_power(at::zeros({100}), 1000), 0.0);
  // 45 samples are two frames; the rest does not count.
  EXPECT_NEAR(active_power(at::cat({at::ones({40}), at::full({5}, 100.0F)}), 1000), 1.0, 1e-6);
}

TEST(Mixer, MakesTheSameBytesForTheSameStepAndPair) {
  const TrainingAudio audio = made_audio();
  const MixerConfig config{.p_room = 0.5};
  const Mixer mixer(audio, config, kRate, 7);
  const auto first = mixer.batch(3, 4, 16000, 0.1);
  const auto again = Mixer(audio, config, kRate, 7).batch(3, 4, 16000, 0.1);
  EXPECT_TRUE(at::equal(first.clean, again.clean));
  EXPECT_TRUE(at::equal(first.noisy, again.noisy));
  // A pair does not depend on how many others there are.
  EXPECT_TRUE(at::equal(mixer.batch(3, 2, 16000, 0.1).noisy, first.noisy.narrow(0, 0, 2)));
}

TEST(Mixer, MakesOtherPairsForOtherStepsPairsAndSeeds) {
  const TrainingAudio audio = made_audio();
  const Mixer mixer(audio, {}, kRate, 7);
  const auto batch = mixer.batch(3, 2, 8000, 0.1);
  EXPECT_FALSE(at::equal(batch.noisy, mixer.batch(4, 2, 8000, 0.1).noisy));
  EXPECT_FALSE(at::equal(batch.noisy[0], batch.noisy[1]));
  EXPECT_FALSE(at::equal(batch.noisy, Mixer(audio, {}, kRate, 8).batch(3, 2, 8000, 0.1).noisy));
}

TEST(Mixer, MixesAtTheAskedRatio) {
  const TrainingAudio audio = made_audio();
  for (const double snr : {-5.0, 0.0, 12.0}) {
    MixerConfig config = plain();
    config.snr_low = config.snr_high = snr;
    const auto batch = Mixer(audio, config, kRate, 1).batch(0, 8, 24000, 0.1);
    for (std::int64_t i = 0; i < 8; ++i) EXPECT_NEAR(measured_snr_db(batch.clean[i], batch.noisy[i]), snr, 0.1) << i;
  }
}

TEST(Mixer, MixesEveryKindOfNoiseAtTheAskedRatio) {
  const TrainingAudio audio = made_audio();
  const std::vector<std::array<double, 3>> kinds = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {0, 0, 0}};
  for (const auto& [noise, babble, synthetic] : kinds) {
    MixerConfig config = plain();
    config.snr_low = config.snr_high = 3.0;
    config.p_noise = noise, config.p_babble = babble, config.p_synthetic = synthetic;
    const auto batch = Mixer(audio, config, kRate, 2).batch(0, 3, 16000, 0.1);
    for (std::int64_t i = 0; i < 3; ++i) EXPECT_NEAR(measured_snr_db(batch.clean[i], batch.noisy[i]), 3.0, 0.1);
  }
}

TEST(Mixer, DrawsRatiosFromTheWholeRange) {
  const TrainingAudio audio = made_audio();
  MixerConfig config = plain();
  config.snr_low = 0, config.snr_high = 10;
  const auto batch = Mixer(audio, config, kRate, 3).batch(0, 40, 16000, 0.1);
  double low = 99, high = -99;
  for (std::int64_t i = 0; i < 40; ++i) {
    const double snr = measured_snr_db(batch.clean[i], batch.noisy[i]);
    low = std::min(low, snr), high = std::max(high, snr);
  }
  EXPECT_GT(low, -0.1);
  EXPECT_LT(low, 2.0);
  EXPECT_LT(high, 10.1);
  EXPECT_GT(high, 8.0);
}

TEST(Mixer, BringsTheNoisyOnesToTheLevel) {
  const TrainingAudio audio = made_audio();
  const auto batch = Mixer(audio, plain(), kRate, 4).batch(0, 4, 16000, 0.07);
  for (std::int64_t i = 0; i < 4; ++i) EXPECT_NEAR(batch.noisy[i].square().mean().sqrt().item<double>(), 0.07, 1e-5);
}

TEST(Mixer, SpreadsTheLevelByItsJitter) {
  const TrainingAudio audio = made_audio();
  MixerConfig config = plain();
  config.level_jitter_db = 3.0;
  const auto batch = Mixer(audio, config, kRate, 5).batch(0, 100, 4000, 0.1);
  const at::Tensor db = 20.0 * (batch.noisy.square().mean(1).sqrt() / 0.1).log10();
  EXPECT_NEAR(db.mean().item<double>(), 0.0, 1.0);
  EXPECT_NEAR(db.std().item<double>(), 3.0, 0.8);
}

TEST(Mixer, GivesFiniteWavesWithEverythingOn) {
  const TrainingAudio audio = made_audio();
  const MixerConfig config{.p_noise = 0.3, .p_babble = 0.3, .p_synthetic = 0.2, .p_room = 0.5};
  const Mixer mixer(audio, config, kRate, 6);
  for (std::int64_t step = 0; step < 6; ++step) {
    const auto batch = mixer.batch(step, 4, 12000, 0.1);
    EXPECT_EQ(batch.clean.sizes(), (std::vector<std::int64_t>{4, 12000}));
    EXPECT_EQ(batch.noisy.sizes(), batch.clean.sizes());
    EXPECT_TRUE(at::isfinite(batch.noisy - batch.clean).all().item<bool>());
    EXPECT_GT((batch.noisy - batch.clean).abs().amax(1).min().item<double>(), 0);
  }
}

TEST(Mixer, KeepsTheEarlyPartOfARoomInTheTarget) {
  const TrainingAudio audio = made_audio();
  MixerConfig config = plain();
  config.snr_low = config.snr_high = 60;  // what differs is the room
  const auto dry = Mixer(audio, config, kRate, 8).batch(0, 4, 16000, 0.1);
  config.p_room = 1;
  const auto early = Mixer(audio, config, kRate, 8).batch(0, 4, 16000, 0.1);
  config.early_ms = 1000;
  const auto all = Mixer(audio, config, kRate, 8).batch(0, 4, 16000, 0.1);
  const auto rest = [](const Mixer::Batch& batch) {
    return ((batch.noisy - batch.clean).square().sum() / batch.noisy.square().sum()).item<double>();
  };
  EXPECT_LT(rest(dry), 1e-5);
  EXPECT_LT(rest(all), 1e-5) << "the target holds the whole response";
  EXPECT_GT(rest(early), 10 * rest(all));
}

TEST(Mixer, LivesWithRecordingsShorterThanACrop) {
  TrainingAudio audio;
  audio.clean.waves = {as_int16(made_speech(900)), as_int16(made_speech(1)), as_int16(at::zeros({500}))};
  audio.clean.weights = {1.0, 1.0, 1.0};
  audio.noise.waves = {as_int16(made_noise(3, 9)), as_int16(at::full({1}, 0.5))};
  audio.noise.weights = {1.0, 1.0};
  const Mixer mixer(audio, {.p_noise = 0.5, .p_babble = 0.3}, kRate, 10);
  for (std::int64_t step = 0; step < 20; ++step) {
    const auto batch = mixer.batch(step, 1, 10000, 0.1);
    EXPECT_TRUE(at::isfinite(batch.noisy).all().item<bool>()) << step;
    EXPECT_TRUE(at::isfinite(batch.clean).all().item<bool>()) << step;
  }
}

TEST(Mixer, NeedsRecordedNoiseOnlyWhereItIsAskedFor) {
  TrainingAudio audio = made_audio();
  audio.noise = {};
  const MixerConfig none{.p_noise = 0, .p_babble = 0.6, .p_synthetic = 0.4};
  EXPECT_TRUE(at::isfinite(Mixer(audio, none, kRate, 1).batch(0, 4, 8000, 0.1).noisy).all().item<bool>());
  // What the chances leave is recorded noise mixed with babble.
  for (const MixerConfig& config : {MixerConfig{}, MixerConfig{.p_noise = 0, .p_babble = 0.5, .p_synthetic = 0.4}})
    expect_error(Errc::kInput, "no noise recordings", [&] { Mixer(audio, config, kRate, 1); });
  audio.clean = {};
  expect_error(Errc::kInput, "no clean recordings", [&] { Mixer(audio, none, kRate, 1); });
}

TEST(Mixer, RefusesSettingsByName) {
  const TrainingAudio audio = made_audio();
  const auto refused = [&](const MixerConfig& config, const std::string& part) {
    expect_error(Errc::kUsage, part, [&] { Mixer(audio, config, kRate, 1); });
  };
  refused({.snr_low = 5, .snr_high = 4}, "mixer.snr_low");
  refused({.p_noise = 0.8, .p_babble = 0.3}, "mixer.p_noise");
  refused({.p_babble = -0.1}, "p_babble");
  refused({.max_noises = 0}, "mixer.max_noises");
  refused({.p_room = 1.5}, "mixer.p_room must be in [0, 1], got 1.5");
  refused({.early_ms = 0}, "mixer.early_ms must be positive, got 0");
  refused({.speed_low = 0.2}, "mixer.speed_low");
  refused({.speed_low = 1.2, .speed_high = 1.1}, "mixer.speed_low");
}

}  // namespace
}  // namespace reseda::speech
