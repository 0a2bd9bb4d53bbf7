#include "pipelines/speech/enhancer.hpp"

#include <map>
#include <utility>

#include "tests/pipelines/speech/speech_fixture.hpp"

namespace reseda::speech {
namespace {

constexpr std::int64_t kHop = 32, kChunk = 128, kOverlap = 64;  // frames: 1 s and 0.5 s at 4 kHz

/// Keeps what it hands out, by order.
class WatchedNoise final : public NoiseSource {
 public:
  struct Draw {
    std::string item, stream;
    std::uint32_t step;
    std::uint64_t first;
    at::Tensor values;
  };
  at::Tensor normal(const DrawKey& key, at::IntArrayRef shape, at::ScalarType dtype) override {
    draws.push_back(
        {std::string(key.item), std::string(key.stream), key.step, key.first, source_.normal(key, shape, dtype)});
    return draws.back().values;
  }
  at::Tensor uniform(const DrawKey& key, at::IntArrayRef shape) override { return source_.uniform(key, shape); }
  std::vector<Draw> draws;

 private:
  CounterNoise source_{11};
};

SpeechModel seeded_model(const SpeechModelConfig& config) {
  at::manual_seed(3);
  return SpeechModel(config);
}

EnhanceConfig short_chunks() { return {.chunk_seconds = 1.0, .overlap_seconds = 0.5}; }

class EnhancerTest : public testing::Test {
 protected:
  /// An enhancer of the tiny model with another sampler: a name and its keys.
  Enhancer make(const std::string& sampler, std::map<std::string, std::string> keys = {},
                EnhanceConfig config = short_chunks()) {
    SpeechModelConfig model = tiny_config();
    model.sampler = ConfigNode::map();
    model.sampler.set("name", sampler);
    for (const auto& [key, value] : keys) model.sampler.set(key, value);
    return {seeded_model(model), config, c10::Device(c10::kCPU), noise};
  }
  /// One call; the network's random weights.
  Enhancer one_call() { return make("bridge_ddim", {{"steps", "1"}}); }
  Enhancer noisy_sampler(EnhanceConfig config = short_chunks()) { return make("sb_sde", {{"steps", "2"}}, config); }

  WatchedNoise noise;
};

/// Feeds a wave [C, L] in pieces of these sizes, over and over.
at::Tensor streamed(const Enhancer& enhancer, const at::Tensor& wave, const std::vector<std::int64_t>& sizes,
                    double divisor = 0.5) {
  StreamEnhancer stream(enhancer, "item", wave.size(0), wave.size(1), divisor, {});
  std::vector<at::Tensor> out;
  std::int64_t at = 0;
  for (std::size_t i = 0; at < wave.size(1); ++i) {
    const std::int64_t count = std::min(sizes[i % sizes.size()], wave.size(1) - at);
    out.push_back(stream.push(wave.narrow(1, at, count)));
    at += count;
  }
  return at::cat(out, 1);
}

at::Tensor at_once(const Enhancer& enhancer, const at::Tensor& wave, double divisor = 0.5) {
  return streamed(enhancer, wave, {wave.size(1)}, divisor);
}

at::Tensor noisy_speech(std::int64_t samples) {
  return (made_speech(samples, 4000) + made_noise(samples, 1, 0.05)).unsqueeze(0);
}

double largest(const at::Tensor& tensor) { return tensor.abs().max().item<double>(); }

TEST_F(EnhancerTest, CutsRecordingsIntoChunksOfWholeFrameBuckets) {
  const Enhancer enhancer = one_call();
  EXPECT_EQ(enhancer.chunk_frames(), kChunk);
  EXPECT_EQ(enhancer.overlap_frames(), kOverlap);
  EXPECT_EQ(enhancer.network_calls(), 1);
  const auto chunks = [&](std::int64_t frames) {
    return StreamEnhancer(enhancer, "item", 1, (frames - 1) * kHop, 1.0, {}).chunks();
  };
  EXPECT_EQ(chunks(kChunk), 1);
  EXPECT_EQ(chunks(kChunk + 1), 2);
  EXPECT_EQ(chunks(2 * kChunk - kOverlap), 2);
  EXPECT_EQ(chunks(2 * kChunk - kOverlap + 1), 3);
}

TEST_F(EnhancerTest, ReturnsAsManySamplesAsItGot) {
  const Enhancer enhancer = one_call();
  constexpr std::int64_t kThreeChunks = (3 * kChunk - 2 * kOverlap - 1) * kHop;
  std::vector<std::int64_t> lengths = {1, 2, 31, 62, 63, 64, 125, 126, 127, 1000, 63 * 32, 63 * 32 + 31, 64 * 32};
  for (const std::int64_t edge : {(kChunk - 1) * kHop, (kChunk)*kHop, (2 * kChunk - kOverlap) * kHop, kThreeChunks})
    for (const std::int64_t more : {-1, 0, 1, 17}) lengths.push_back(edge + more);
  for (const std::int64_t length : lengths) {
    const at::Tensor out = streamed(enhancer, noisy_speech(length), {997});
    EXPECT_EQ(out.sizes(), (std::vector<std::int64_t>{1, length}));
    EXPECT_TRUE(at::isfinite(out).all().item<bool>()) << length;
  }
}

TEST_F(EnhancerTest, GivesTheSameBitsForAnyPieces) {
  const Enhancer enhancer = noisy_sampler();
  const at::Tensor wave = at::cat({noisy_speech(11000), made_noise(11000, 4, 0.1).unsqueeze(0)});
  const at::Tensor whole = at_once(enhancer, wave);
  for (const auto& sizes : std::vector<std::vector<std::int64_t>>{{1009}, {1, 4095, 7}, {5000, 3}, {10999, 1}})
    EXPECT_TRUE(at::equal(streamed(enhancer, wave, sizes), whole)) << sizes[0];
}

TEST_F(EnhancerTest, GivesOutputBeforeTheRecordingEnds) {
  const Enhancer enhancer = one_call();
  const at::Tensor wave = noisy_speech(40000);
  StreamEnhancer stream(enhancer, "item", 1, 40000, 1.0, {});
  EXPECT_EQ(stream.push(wave.narrow(1, 0, 4000)).size(1), 0);
  EXPECT_EQ(stream.push(wave.narrow(1, 4000, 1000)).size(1), (kChunk - kOverlap) * kHop);
}

TEST_F(EnhancerTest, HandlesAShortRecordingAsOneWhole) {
  const Enhancer enhancer = noisy_sampler();
  const at::Tensor wave = noisy_speech(3000);
  EXPECT_TRUE(at::equal(streamed(enhancer, wave, {700}), enhancer.enhance_whole(wave, 0.5, "item", {})));
}

/// Largest difference between a recording in chunks and the same in one piece, relative to its largest sample.
double chunking_error(const Enhancer& chunked, const Enhancer& whole, std::int64_t samples) {
  const at::Tensor wave = noisy_speech(samples), reference = whole.enhance_whole(wave, 0.5, "item", {});
  return largest(at_once(chunked, wave) - reference) / largest(reference);
}

TEST_F(EnhancerTest, ChunksAgreeWithTheWholeWithinTheNetworksReach) {
  const double error = chunking_error(one_call(), one_call(), 20000);
  std::cout << "  one call: " << error << "\n";
  EXPECT_LT(error, 1e-5);
}

TEST_F(EnhancerTest, ChunksAgreeWithTheWholeForASamplerWithNoise) {
  const double error = chunking_error(noisy_sampler(), noisy_sampler(), 20000);
  std::cout << "  sb_sde: " << error << "\n";
  EXPECT_LT(error, 1e-4);
}

// Whatever the network does: one that hands y through is exact, but for the last half window, where the silent frames
// that were added count as part of the overlap (as in the official code).
TEST_F(EnhancerTest, ChunksOfAnIdentityAreTheRecording) {
  const Enhancer enhancer = one_call();
  make_linear(enhancer.model().network(), 1.0, 0.0);
  const at::Tensor wave = noisy_speech(20011);
  const auto error = [&](const at::Tensor& out) { return largest((out - wave).narrow(1, 0, 20011 - 63)); };
  EXPECT_LT(error(streamed(enhancer, wave, {777})), 1e-5);
  EXPECT_LT(error(enhancer.enhance_whole(wave, 0.5, "item", {})), 1e-5);
}

TEST_F(EnhancerTest, DrawsOneNoiseFieldForChunksAndWhole) {
  const Enhancer enhancer = noisy_sampler();
  const at::Tensor wave = noisy_speech(12000);
  enhancer.enhance_whole(wave, 0.5, "item", {});
  const std::vector<WatchedNoise::Draw> whole = std::exchange(noise.draws, {});
  ASSERT_EQ(whole.size(), 2U);  // one per step of the sampler
  at_once(enhancer, wave);
  ASSERT_EQ(noise.draws.size(), 2U * 5);
  for (std::size_t i = 0; i < noise.draws.size(); ++i) {
    const WatchedNoise::Draw &draw = noise.draws[i], &same = whole[i % 2];
    const auto first_frame = static_cast<std::int64_t>(i / 2) * (kChunk - kOverlap);
    EXPECT_EQ(draw.item, "item");
    EXPECT_EQ(draw.stream, same.stream);
    EXPECT_EQ(draw.step, same.step);
    EXPECT_EQ(draw.first, static_cast<std::uint64_t>(first_frame * 64));
    // The draws are frame-major: [1, 1, frames, bins].
    EXPECT_EQ(draw.values.sizes(), (std::vector<std::int64_t>{1, 1, kChunk, 64}));
    const std::int64_t shared = std::min(kChunk, same.values.size(2) - first_frame);
    EXPECT_TRUE(at::equal(draw.values.narrow(2, 0, shared), same.values.narrow(2, first_frame, shared))) << i;
  }
}

TEST_F(EnhancerTest, DrawsOtherNoiseForAnotherItem) {
  const Enhancer enhancer = noisy_sampler();
  const at::Tensor wave = noisy_speech(3000);
  const at::Tensor out = enhancer.enhance_whole(wave, 0.5, "a", {});
  EXPECT_TRUE(at::equal(enhancer.enhance_whole(wave, 0.5, "a", {}), out));
  EXPECT_FALSE(at::equal(enhancer.enhance_whole(wave, 0.5, "b", {}), out));
}

TEST_F(EnhancerTest, GivesChannelsTheSameNoise) {
  const Enhancer enhancer = noisy_sampler();
  for (const std::int64_t samples : {3000, 9000}) {
    const at::Tensor left = noisy_speech(samples), right = made_noise(samples, 9).unsqueeze(0);
    noise.draws.clear();
    const at::Tensor both = at_once(enhancer, at::cat({left, left, right}));
    EXPECT_TRUE(at::equal(both[0], both[1])) << "equal channels stay equal";
    EXPECT_TRUE(at::equal(both[0], at_once(enhancer, left)[0])) << "a channel does not hear the others";
    EXPECT_TRUE(at::equal(both[2], at_once(enhancer, right)[0]));
    EXPECT_TRUE(at::equal(noise.draws[0].values, noise.draws[2].values));
  }
}

TEST_F(EnhancerTest, ScalesWithItsInput) {
  const Enhancer enhancer = one_call();
  const at::Tensor wave = noisy_speech(6000), out = at_once(enhancer, wave, 0.5);
  EXPECT_LT(largest(at_once(enhancer, 4 * wave, 2.0) - 4 * out), 1e-5);
}

TEST_F(EnhancerTest, PassesSilenceThrough) {
  const Enhancer enhancer = noisy_sampler();
  EXPECT_EQ(enhancer.level(0, 0), 0.0);
  const at::Tensor silence = at::zeros({2, 9000});
  EXPECT_TRUE(at::equal(streamed(enhancer, silence, {700}, enhancer.level(0, 0)), silence));
  EXPECT_TRUE(noise.draws.empty());
}

TEST_F(EnhancerTest, StaysFiniteForConstantsAndSilentStretches) {
  const Enhancer enhancer = noisy_sampler();
  const at::Tensor constant = at::full({1, 9000}, 0.5F);
  EXPECT_TRUE(at::isfinite(at_once(enhancer, constant)).all().item<bool>());
  const at::Tensor mostly_silent = at::constant_pad_nd(noisy_speech(300), {8000, 700});
  const at::Tensor out = at_once(enhancer, mostly_silent);
  EXPECT_TRUE(at::isfinite(out).all().item<bool>());
}

TEST_F(EnhancerTest, MeasuresLevelsAsTheModelSays) {
  EXPECT_NEAR(one_call().level(0.9, 0.04), 0.2 / 0.1, 1e-12);  // RMS to 0.1
  SpeechModelConfig config = tiny_config();
  config.normalize = "peak";
  config.level = 2.0;
  const Enhancer enhancer(seeded_model(config), short_chunks(), c10::Device(c10::kCPU), noise);
  EXPECT_NEAR(enhancer.level(0.9, 0.04), 0.45, 1e-12);
}

TEST_F(EnhancerTest, LeavesTheShareOfInputThatMixAndLimitAsk) {
  const auto share = [&](double mix, double limit) {
    EnhanceConfig config = short_chunks();
    config.mix = mix, config.attenuation_limit_db = limit;
    return make("bridge_ddim", {}, config).dry_share();
  };
  EXPECT_EQ(share(1, 0), 0.0);
  EXPECT_NEAR(share(0.8, 0), 0.2, 1e-12);
  EXPECT_NEAR(share(1, 20), 0.1, 1e-12);
  EXPECT_NEAR(share(0.8, 20), 0.2, 1e-12);
}

TEST_F(EnhancerTest, ReportsProgressAndStopsWhenAskedTo) {
  const Enhancer enhancer = noisy_sampler();
  const at::Tensor wave = noisy_speech(9000);
  std::int64_t last = 0, total = 0;
  StreamEnhancer stream(enhancer, "item", 1, 9000, 1.0, [&](const Progress& progress) {
    EXPECT_GE(progress.done, last);
    last = progress.done, total = progress.total;
    return true;
  });
  stream.push(wave);
  EXPECT_EQ(last, total);
  EXPECT_EQ(total, 1000 * stream.chunks());
  StreamEnhancer stopped(enhancer, "item", 1, 9000, 1.0, [](const Progress&) { return false; });
  expect_error(Errc::kInterrupted, "item: stopped after step 1", [&] { stopped.push(wave); });
  // A sampler of one call has no step to stop before: the next piece is not begun.
  const Enhancer quick = one_call();
  StreamEnhancer between(quick, "item", 1, 9000, 1.0, [](const Progress&) { return false; });
  expect_error(Errc::kInterrupted, "item: stopped after piece 1 of ", [&] { between.push(wave); });
}

TEST_F(EnhancerTest, TakesTheCallersSamplerBeforeTheModels) {
  EnhanceConfig config = short_chunks();
  config.sampler.set("name", "sb_ode");
  config.sampler.set("steps", "7");
  EXPECT_EQ(make("bridge_ddim", {}, config).network_calls(), 7);
  SpeechModelConfig without = tiny_config();
  without.sampler = {};
  expect_error(Errc::kUsage, "enhance: model 'tiny' names no sampler; give one, e.g. --set sampler.name=bridge_ddim",
               [&] { Enhancer(seeded_model(without), short_chunks(), c10::Device(c10::kCPU), noise); });
}

TEST_F(EnhancerTest, RefusesSettingsByName) {
  const auto refused = [&](EnhanceConfig config, const std::string& part) {
    expect_error(Errc::kUsage, part, [&] { make("bridge_ddim", {}, config); });
  };
  refused({.chunk_seconds = 0.5}, "enhance.chunk_seconds must be 1 to 3600, got 0.5");
  refused({.chunk_seconds = 4, .overlap_seconds = 2.5}, "enhance.overlap_seconds");
  refused({.chunk_seconds = 4, .overlap_seconds = 0}, "enhance.overlap_seconds");
  refused({.mix = 1.5}, "enhance.mix");
  refused({.attenuation_limit_db = -1}, "enhance.attenuation_limit_db");
}

TEST_F(EnhancerTest, PadsShortClipsWithSilenceWhereReflectionCannot) {
  SpeechModelConfig config = tiny_config();
  config.padding = "reflection";
  const Enhancer enhancer(seeded_model(config), short_chunks(), c10::Device(c10::kCPU), noise);
  const at::Tensor frames = at::arange(40, at::kFloat).view({1, 1, 1, 40}).to(at::kComplexFloat);
  const at::Tensor reflected = enhancer.pad(frames, 64);
  EXPECT_EQ(at::real(reflected).select(3, 40).item<double>(), 38);
  EXPECT_EQ(at::real(reflected).select(3, 63).item<double>(), 15);
  const at::Tensor few = enhancer.pad(frames.narrow(3, 0, 32), 64);
  EXPECT_EQ(largest(few.narrow(3, 32, 32)), 0);
  EXPECT_EQ(enhancer.pad(frames, 40).size(3), 40);
}

}  // namespace
}  // namespace reseda::speech
