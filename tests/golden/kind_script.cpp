#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "io/audio/audio_file.hpp"
#include "modules/core/noise.hpp"
#include "pipelines/speech/checkpoint_model.hpp"
#include "pipelines/speech/enhancer.hpp"
#include "tests/golden/golden_case.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reseda::golden {
namespace {

/// Hands the generator's draws on and compares each with what is recorded of it.
class CheckedNoise final : public NoiseSource {
 public:
  CheckedNoise(std::uint64_t seed, const nlohmann::json& draws) : noise_(seed), draws_(draws) {}
  at::Tensor normal(const DrawKey& key, at::IntArrayRef shape, at::ScalarType dtype) override {
    at::Tensor z = noise_.normal(key, shape, dtype);
    if (used_ < draws_.size()) check(draws_[used_], dtype == at::kComplexFloat ? at::view_as_real(z) : z);
    ++used_;
    return z;
  }
  at::Tensor uniform(const DrawKey& key, at::IntArrayRef shape) override { return noise_.uniform(key, shape); }
  std::size_t used() const { return used_; }

 private:
  void check(const nlohmann::json& draw, const at::Tensor& z) const {
    ASSERT_EQ(z.sizes().vec(), draw.at("shape").get<std::vector<std::int64_t>>()) << "draw " << used_;
    const at::Tensor flat = z.flatten().to(at::kDouble);
    const auto near = [&](const char* key, const at::Tensor& values) {
      const auto expected = draw.at(key).get<std::vector<double>>();
      for (std::size_t i = 0; i < expected.size(); ++i)
        EXPECT_NEAR(values[static_cast<std::int64_t>(i)].item<double>(), expected[i], 1e-6)
            << "draw " << used_ << " " << key << " " << i;
    };
    near("first8", flat.slice(0, 0, 8));
    near("last4", flat.slice(0, -4));
    EXPECT_NEAR(flat.sum().item<double>(), draw.at("sum").get<double>(), 1e-2) << "draw " << used_;
  }

  TorchNoise noise_;
  const nlohmann::json& draws_;
  std::size_t used_ = 0;
};

double snr_db(const at::Tensor& expected, const at::Tensor& actual) {
  const double signal = expected.to(at::kDouble).square().sum().item<double>();
  const double error = (expected - actual).to(at::kDouble).square().sum().item<double>();
  return 10.0 * std::log10(signal / error);
}

/// --N of the command line, where the sampler is not a bridge's, whose steps come from the file.
speech::EnhanceConfig arguments(const nlohmann::json& config, const speech::SpeechModelConfig& model) {
  speech::EnhanceConfig out;
  if (model.sampler.find("name")->scalar() == "pc")
    out.sampler.set("steps", std::to_string(config.at("N_used").get<int>()));
  return out;
}

/// One call of the loaded network; its own weights, whatever the file has besides.
at::Tensor forward(GoldenCase& golden, const speech::SpeechModel& model) {
  c10::InferenceMode inference;
  return speech::parametrize(model.config().parametrization, model.network(), model.process())
      .call(golden.input("x"), golden.input("y"), golden.input("t"));
}

/// The file as the official program writes it: PCM of 16 bits.
at::Tensor written(const at::Tensor& wave, std::int64_t rate_hz) {
  const tests::TemporaryFolder folder;
  io::AudioFormat format;
  format.sample_rate_hz = rate_hz;
  format.channels = 1;
  io::write_audio(folder / "out.wav", wave, io::fit_format(format, folder / "out.wav"));
  return (io::read_audio(folder / "out.wav") * 32768.0).round().squeeze(0).to(at::kShort);
}

}  // namespace

/// The whole official program on a checkpoint, by seed: reading, averages, front end, sampler, writing. The waveform is
/// compared by its signal-to-noise ratio, as the case says, because errors pass through many network calls.
void run_script(GoldenCase& golden) {
  const nlohmann::json& config = golden.config();
  const std::filesystem::path file = golden.sibling(config.at("ckpt").get<std::string>());
  speech::SpeechModel model = speech::load_checkpoint(file);
  const double scale = golden.json().at("tolerance").at("forward_max_abs").get<double>();
  golden.check("out.forward_ema", forward(golden, model), {.atol = 2e-5 * scale, .rtol = 0});
  speech::PublishedCheckpoint raw;
  raw.weights.average = "raw";
  golden.check("out.forward_raw_weights", forward(golden, speech::load_checkpoint(file, raw)),
               {.atol = 2e-5 * scale, .rtol = 0});
  ASSERT_GT((golden.tensor("out.forward_ema") - golden.tensor("out.forward_raw_weights")).abs().max().item<double>(),
            1e-2 * scale);

  CheckedNoise noise(config.at("seed").get<std::uint64_t>(), golden.json().at("draws"));
  const std::int64_t rate_hz = model.config().sample_rate;
  const speech::EnhanceConfig settings = arguments(config, model.config());
  const speech::Enhancer enhancer(std::move(model), settings, c10::Device(c10::kCPU), noise,
                                  speech::NoiseLayout::kOfficial);
  const at::Tensor wave = golden.input("pcm16").to(at::kFloat).div(32768.0).unsqueeze(0);
  const double divisor = enhancer.level(wave.abs().max().item<double>(), wave.square().mean().item<double>());
  const at::Tensor enhanced = enhancer.enhance_whole(wave, divisor, golden.name(), {});
  EXPECT_EQ(noise.used(), golden.json().at("draws").size());

  const at::Tensor expected = golden.tensor("out.wav");
  const double db = snr_db(expected, enhanced.squeeze(0));
  testing::Test::RecordProperty("snr_db", std::to_string(db));
  EXPECT_GE(db, 60.0);
  const at::Tensor samples = golden.tensor("out.pcm16");
  EXPECT_LE((written(enhanced, rate_hz).to(at::kInt) - samples.to(at::kInt)).abs().max().item<int>(), 1);
  golden.count_check();
}

}  // namespace reseda::golden
