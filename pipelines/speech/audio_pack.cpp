#include "pipelines/speech/audio_pack.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "io/audio/audio_file.hpp"
#include "io/audio/resampler.hpp"
#include "io/checkpoint/safetensors.hpp"
#include "modules/core/config.hpp"
#include "modules/core/log.hpp"

namespace reseda::speech {
namespace {

constexpr const char* kSourcesKey = "reseda.pack";

bool is_recording(const std::filesystem::path& file) {
  std::string extension = file.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".wav" || extension == ".flac" || extension == ".ogg" || extension == ".opus" ||
         extension == ".mp3";
}

std::vector<std::filesystem::path> recordings_below(const std::filesystem::path& folder) {
  std::error_code error;
  RESEDA_REQUIRE(std::filesystem::is_directory(folder, error), Errc::kInput, folder.string(),
                 ": not a folder of recordings");
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && is_recording(entry.path())) files.push_back(entry.path());
  RESEDA_REQUIRE(!files.empty(), Errc::kInput, folder.string(), ": holds no wav, flac, ogg, opus or mp3 file");
  std::sort(files.begin(), files.end());
  return files;
}

at::Tensor decode(const std::filesystem::path& file, std::int64_t rate_hz) {
  io::AudioReader reader(file);
  at::Tensor wave = reader.read(reader.info().frames).mean(0, /*keepdim=*/true);
  if (reader.info().format.sample_rate_hz != rate_hz)
    wave = io::resample(wave, reader.info().format.sample_rate_hz, rate_hz);
  return (wave[0] * 32768.0).round().clamp(-32768, 32767).to(at::kShort);
}

/// What identifies a pack: folders, weights, rate and the names and sizes of the files.
std::string describe(const TrainingSources& sources, std::int64_t rate_hz) {
  std::string text = "rate " + std::to_string(rate_hz);
  const auto add = [&](const char* kind, const std::vector<SourceFolder>& folders) {
    for (const auto& [folder, weight] : folders) {
      std::uintmax_t bytes = 0, count = 0;
      for (const auto& file : recordings_below(folder)) bytes += std::filesystem::file_size(file), ++count;
      text += std::string("; ") + kind + " " + folder.filename().string() + " x" + number_text(weight) + " " +
              std::to_string(count) + " files " + std::to_string(bytes) + " bytes";
    }
  };
  add("clean", sources.clean);
  add("noise", sources.noise);
  add("rooms", sources.rooms);
  return text;
}

}  // namespace

SourceFolder parse_source(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || std::filesystem::exists(text)) return {text, 1.0};
  double weight = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, weight);
  RESEDA_REQUIRE(error == std::errc() && stop == end && weight > 0 && weight <= 1e6, Errc::kUsage, "'", text,
                 "': the weight after the colon must be a positive number");
  return {text.substr(0, colon), weight};
}

void make_pack(const TrainingSources& sources, std::int64_t rate_hz, const std::filesystem::path& pack,
               const ProgressSink& progress) {
  const std::string description = describe(sources, rate_hz);
  if (std::filesystem::exists(pack)) {
    const auto metadata = io::read_safetensors(pack).metadata;
    const auto found = metadata.find(kSourcesKey);
    if (found != metadata.end() && found->second == description) return;
  }
  StateDict out;
  out.metadata[kSourcesKey] = description;
  std::int64_t done = 0;
  std::set<std::string> prefixes;
  const auto add = [&](const std::string& kind, const std::vector<SourceFolder>& folders) {
    for (const auto& [folder, weight] : folders) {
      const std::string base = kind + "/" + number_text(weight) + "/" + folder.filename().string();
      std::string prefix = base;
      for (int number = 2; !prefixes.insert(prefix).second; ++number) prefix = base + " " + std::to_string(number);
      for (const auto& file : recordings_below(folder)) {
        const std::string name = prefix + "/" + file.lexically_relative(folder).generic_string();
        try {
          const at::Tensor wave = decode(file, rate_hz);
          if (wave.numel() > 0) out.add(name, wave);
        } catch (const Error& error) {
          log::warning("left out: ", error.what());
        }
        const bool go_on = !progress || progress({++done, 0, file.filename().string()});
        RESEDA_REQUIRE(go_on, Errc::kInterrupted, "stopped while decoding ", folder.string());
      }
    }
  };
  add("clean", sources.clean);
  add("noise", sources.noise);
  add("rooms", sources.rooms);
  io::write_safetensors(out, pack);
}

PackedAudio read_pack(const std::filesystem::path& pack, std::int64_t hold_out) {
  const StateDict file = io::read_safetensors(pack);
  PackedAudio audio;
  const auto sources = file.metadata.find(kSourcesKey);
  if (sources != file.metadata.end()) audio.sources = sources->second;
  std::map<std::string, std::int64_t> seen;
  for (const auto& [name, wave] : file) {
    const std::size_t slash = name.find('/'), second = name.find('/', slash + 1), third = name.find('/', second + 1);
    RESEDA_REQUIRE(third != std::string::npos && wave.scalar_type() == at::kShort && wave.dim() == 1, Errc::kCheckpoint,
                   pack.string(), ": '", name, "' is not a packed recording");
    const std::string kind = name.substr(0, slash);
    double weight = 1.0;
    std::from_chars(name.data() + slash + 1, name.data() + second, weight);
    const bool held = hold_out > 0 && kind != "rooms" && seen[name.substr(0, third)]++ % hold_out == hold_out - 1;
    TrainingAudio& part = held ? audio.validation : audio.training;
    Recordings& recordings = kind == "clean" ? part.clean : kind == "noise" ? part.noise : part.rooms;
    recordings.waves.push_back(wave);
    recordings.weights.push_back(weight);
    if (kind == "clean") audio.clean_samples += wave.numel();
    if (kind == "noise") audio.noise_samples += wave.numel();
  }
  audio.validation.rooms = audio.training.rooms;
  return audio;
}

}  // namespace reseda::speech
