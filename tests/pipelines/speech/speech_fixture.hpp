#pragma once

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numbers>
#include <string>

#include "modules/core/error.hpp"
#include "modules/core/log.hpp"
#include "modules/core/noise.hpp"
#include "pipelines/speech/speech_model.hpp"
#include "tests/support/expect_error.hpp"

namespace reseda::speech {

/// A folder that is removed with this object.
class TestFolder {
 public:
  TestFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "reseda_speech_XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// Keeps expected warnings off the screen.
struct Quiet {
  Quiet() { log::set_level(log::Level::kOff); }
  ~Quiet() { log::set_level(before); }
  log::Level before = log::level();
};

inline std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

using tests::expect_error;

/// A vowel-like sound: harmonics of a gliding pitch under a formant, in syllables with pauses. [samples] float32
inline at::Tensor made_speech(std::int64_t samples, double rate_hz = 16000, double pitch_hz = 120, double peak = 0.3) {
  const at::Tensor time = at::arange(samples, at::kDouble) / rate_hz;
  at::Tensor wave = at::zeros({samples}, at::kDouble);
  for (int k = 1; k <= 24 && k * pitch_hz * 1.1 < rate_hz / 2; ++k) {
    const double formant = std::exp(-std::pow((k * pitch_hz - 700.0) / 900.0, 2)) + 0.1;
    const at::Tensor glide = time * pitch_hz + 4.0 * at::sin(time * 5.0);
    wave += formant * at::sin(glide * (2.0 * std::numbers::pi * k) + 0.7 * k * k);
  }
  wave *= at::sin(time * (2.0 * std::numbers::pi * 1.7)).clamp_min(0.0).sqrt();
  return (wave * (peak / wave.abs().max().clamp_min(1e-9))).to(at::kFloat);
}

/// White noise with this RMS. [samples] float32
inline at::Tensor made_noise(std::int64_t samples, std::uint64_t seed, double rms = 0.1) {
  return CounterNoise(seed).normal({"test", "noise"}, {samples}) * rms;
}

inline at::Tensor as_int16(const at::Tensor& wave) {
  return (wave * 32768.0).round().clamp(-32768, 32767).to(at::kShort);
}

/// A model that takes milliseconds: 64 bins of 126 samples, 4 channels, two levels.
inline SpeechModelConfig tiny_config() {
  SpeechModelConfig config;
  config.name = "tiny";
  config.licence = "CC0-1.0";
  config.sample_rate = 4000;
  config.normalize = "rms";
  config.level = 0.1;
  config.stft = {.n_fft = 126, .hop = 32, .window = "hann"};
  config.padding = "zero";
  config.network = ConfigNode::map();
  const auto set = [&](const char* key, const char* value) { config.network.set(key, value); };
  set("name", "ncsnpp_lite");
  set("bins", "64");
  set("channels", "[4, 4]");
  set("encoder_blocks", "[1, 1]");
  set("decoder_blocks", "[1, 1]");
  set("dilations", "[1, 2]");
  set("heads", "1");
  set("time_features", "8");
  config.process.set("name", "sb_ve");
  config.sampler.set("name", "bridge_ddim");
  config.sampler.set("steps", "1");
  return config;
}

/// Sets weights so that the network is out = mask_y y + mask_x x, whatever x and y are.
inline void make_linear(nets::Network& network, double mask_y, double mask_x) {
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : network.tensors()) {
    if (name == "head.weight") tensor.zero_();
    if (name != "head.bias") continue;
    // Six maps of band_stride values each: real and imaginary part of y's mask, of x's mask, of the residual.
    const std::int64_t stride = tensor.size(0) / 6;
    tensor.zero_();
    tensor.narrow(0, 0, stride).fill_(mask_y);
    tensor.narrow(0, 2 * stride, stride).fill_(mask_x);
  }
}

}  // namespace reseda::speech
