#include "enhance_fixture.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <stdlib.h>

#include <fstream>
#include <iterator>
#include <numbers>
#include <sstream>

#include "io/checkpoint/safetensors.hpp"
#include "io/record/json.hpp"
#include "modules/core/noise.hpp"
#include "pipelines/speech/speech_model.hpp"

namespace reseda::test {
namespace {

namespace fs = std::filesystem;

fs::path made_folder() {
  std::string name = (fs::temp_directory_path() / "reseda_enhance_XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
  return name;
}

speech::SpeechModelConfig tiny_config(const std::string& name) {
  speech::SpeechModelConfig config;
  config.name = name;
  config.licence = "CC0-1.0";
  config.sample_rate = 4000;
  config.normalize = "rms";
  config.level = 0.1;
  config.stft = {.n_fft = 126, .hop = 32, .window = "hann"};
  config.transform.type = "none";
  config.padding = "zero";
  const auto set = [&](const char* key, const char* value) { config.network.set(key, value); };
  set("name", "ncsnpp_lite");
  set("bins", "64");
  set("channels", "[4, 4]");
  set("encoder_blocks", "[1, 1]");
  set("decoder_blocks", "[1, 1]");
  set("dilations", "[1]");
  set("heads", "1");
  set("time_features", "8");
  config.process.set("name", "sb_ve");
  config.sampler.set("name", "bridge_ddim");
  config.sampler.set("steps", "1");
  return config;
}

/// out = y / 2: the head's biases are masks in six maps, real and imaginary part of y's, of x's, and of a rest.
void make_half(nets::Network& network) {
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : network.tensors()) {
    if (name == "head.weight") tensor.zero_();
    if (name != "head.bias") continue;
    tensor.zero_();
    tensor.narrow(0, 0, tensor.size(0) / 6).fill_(0.5);
  }
}

void write_models(const fs::path& folder) {
  at::manual_seed(7);
  const speech::SpeechModel random(tiny_config("random"));
  io::write_safetensors(random.to_file(), folder / "random.safetensors");
  const speech::SpeechModel half(tiny_config("half"));
  make_half(half.network());
  io::write_safetensors(half.to_file(), folder / "half.safetensors");
}

}  // namespace

EnhanceCommand::EnhanceCommand() : folder_(made_folder()), models_(made_folder()) { write_models(models_); }

EnhanceCommand::~EnhanceCommand() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
  fs::remove_all(models_, ignored);
}

std::vector<std::string> EnhanceCommand::command(const std::vector<std::string>& words,
                                                 const std::string& model) const {
  const std::string file = model.find('/') == std::string::npos ? (models_ / (model + ".safetensors")).string() : model;
  std::vector<std::string> all = {RESEDA_BIN_DIR "/reseda", "speech", "enhance", "-m", file, "--device", "cpu"};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

Outcome EnhanceCommand::enhance(const std::vector<std::string>& words, const std::string& model,
                                const Surroundings& surroundings) const {
  return RunningProgram(command(words, model), surroundings).wait();
}

void EnhanceCommand::expect_refused(int code, const std::string& line, const std::vector<std::string>& words,
                                    const std::string& model, const Surroundings& surroundings) const {
  const Outcome outcome = enhance(words, model, surroundings);
  EXPECT_EQ(outcome.code, code) << outcome.err;
  EXPECT_EQ(outcome.err, "reseda-speech: " + line + "\n");
  EXPECT_EQ(outcome.out, "");
}

std::set<std::string> EnhanceCommand::listing(const std::string& folder) const {
  std::set<std::string> names;
  const fs::path root = folder.empty() ? folder_ : at(folder);
  if (!fs::exists(root)) return names;
  for (const auto& entry : fs::recursive_directory_iterator(root))
    names.insert(entry.path().lexically_relative(root).string());
  return names;
}

std::map<std::string, std::string> EnhanceCommand::contents(const std::string& folder) const {
  std::map<std::string, std::string> files;
  for (const std::string& name : listing(folder))
    if (name != "run.jsonl" && fs::is_regular_file(at(folder) / name)) files[name] = bytes_of(at(folder) / name);
  return files;
}

void EnhanceCommand::write_text(const std::string& name, const std::string& bytes) const {
  fs::create_directories(at(name).parent_path());
  std::ofstream(at(name), std::ios::binary) << bytes;
}

void EnhanceCommand::write(const std::string& name, const at::Tensor& samples, io::AudioFormat format) const {
  fs::create_directories(at(name).parent_path());
  format.channels = samples.size(0);
  io::write_audio(at(name), samples, io::fit_format(format, at(name)));
}

at::Tensor EnhanceCommand::read(const std::string& name, io::AudioInfo* info) const {
  return io::read_audio(at(name), info);
}

io::AudioFormat mono(std::int64_t rate_hz, int encoding) {
  io::AudioFormat format;
  format.sample_rate_hz = rate_hz;
  format.encoding = encoding;
  return format;
}

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

at::Tensor made_recording(std::int64_t frames, std::int64_t channels, double rate_hz) {
  const at::Tensor phase = at::arange(frames, at::kDouble) * (2.0 * std::numbers::pi / rate_hz);
  at::Tensor voice = at::zeros({frames}, at::kDouble);
  for (int k = 1; k <= 6; ++k) voice += at::sin(phase * (140.0 * k) + 0.7 * k * k) * (0.1 / k);
  voice *= at::sin(phase * 1.7).clamp_min(0.0);
  const at::Tensor noise = CounterNoise(3).normal({"test", "noise"}, {channels, frames}) * 0.02;
  return (voice.to(at::kFloat).unsqueeze(0) + noise).contiguous();
}

double largest(const at::Tensor& difference) { return difference.abs().max().item<double>(); }

std::vector<ConfigNode> json_lines(const std::string& text) {
  std::vector<ConfigNode> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(io::parse_json(line, "standard output"));
  return lines;
}

}  // namespace reseda::test
