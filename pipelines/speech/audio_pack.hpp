#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "modules/core/progress.hpp"
#include "pipelines/speech/mixer.hpp"

namespace reseda::speech {

/// A folder of recordings and its relative chance per second of audio.
struct SourceFolder {
  std::filesystem::path folder;
  double weight = 1.0;
};

/// Reads "DIR" or "DIR:2.5". @throws Error{kUsage} on a bad weight
SourceFolder parse_source(const std::string& text);

/// Where training audio comes from.
struct TrainingSources {
  std::vector<SourceFolder> clean, noise, rooms;
};

/// Decodes every recording below the folders to mono 16-bit at `rate_hz` into one safetensors file, tensors
/// "clean/<weight>/<folder>/<path>", "noise/...", "rooms/..."; an existing pack of the same sources and rate is kept.
/// @throws Error{kInput} if a folder is missing or holds no recordings; a file that does not decode is left out with a
///         warning
void make_pack(const TrainingSources& sources, std::int64_t rate_hz, const std::filesystem::path& pack,
               const ProgressSink& progress);

/// The recordings of a pack, memory-mapped, split by name: every `hold_out`-th recording of a folder (in name order) is
/// for validation; 0 holds nothing out.
struct PackedAudio {
  TrainingAudio training, validation;
  std::int64_t clean_samples = 0, noise_samples = 0;  ///< of both parts
  std::string sources;  ///< what the pack was made from, as make_pack noted it; empty in a pack of other origin
};
PackedAudio read_pack(const std::filesystem::path& pack, std::int64_t hold_out);

}  // namespace reseda::speech
