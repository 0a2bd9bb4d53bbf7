#include "pipelines/tools/convert.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "io/checkpoint/hyper_parameters.hpp"
#include "io/checkpoint/safetensors.hpp"
#include "io/record/sha256.hpp"
#include "modules/core/error.hpp"
#include "modules/core/name_pattern.hpp"
#include "pipelines/tools/chosen_weights.hpp"
#include "pipelines/tools/plain_text.hpp"
#include "pipelines/tools/rounding.hpp"
#include "pipelines/tools/tensor_facts.hpp"

namespace reseda::tools {
namespace {

io::FoundWeights wanted_weights(const app::Flags& flags, const io::Checkpoint& checkpoint, const std::string& file) {
  io::WeightsConfig config = flags.given("config") ? configured_weights(flags.text("config")) : default_weights();
  if (!flags.on("opaque")) {
    try {
      io::require_known_classes(checkpoint, config);
    } catch (const Error& error) {
      throw Error(error.code(), file + ": " + error.what() + " (here: --opaque)");
    }
  }
  if (flags.given("weights")) choose_place(config, flags.text("weights"), checkpoint, file);
  if (flags.given("prefix")) config.prefix = flags.text("prefix");
  io::FoundWeights found = find_weights(checkpoint, config, file);
  std::vector<std::string> dropped = flags.list("drop");
  dropped.insert(dropped.end(), config.allow_unexpected.begin(), config.allow_unexpected.end());
  StateDict kept;
  kept.metadata = found.tensors.metadata;
  for (const auto& [name, tensor] : found.tensors)
    if (!matches_any(dropped, name)) kept.add(name, tensor);
  RESEDA_REQUIRE(kept.size() > 0, Errc::kUsage, "--drop leaves no tensor of ", file);
  found.tensors = std::move(kept);
  return found;
}

/// Refuses weights that would take far more room than the file has.
void check_room(const StateDict& weights, const std::string& file) {
  for (const auto& [name, tensor] : weights)
    RESEDA_REQUIRE(fits_memory(tensor), Errc::kCheckpoint, file, ": tensor '", plain_text(name), "' repeats ",
                   size_text(tensor.storage().nbytes()), " to ", size_text(logical_bytes(tensor)), ": refused");
}

void add_source(StateDict& weights, const io::Checkpoint& checkpoint, const io::FoundWeights& found,
                const std::string& file) {
  if (const auto hyper = io::hyper_parameters(checkpoint)) weights.metadata["hyper_parameters"] = hyper->to_json();
  weights.metadata["reseda.source"] = std::filesystem::path(file).filename().string();
  weights.metadata["reseda.source_sha256"] = io::sha256_file(file, Errc::kCheckpoint);
  weights.metadata["reseda.source_weights"] = found.average.empty() ? found.container : found.average;
}

std::string rounding_text(const Rounding& rounding) {
  if (rounding.largest == 0) return "no value changed";
  return "largest rounding error " + figure_text(rounding.largest) + "; " + figure_text(rounding.relative) +
         " of a tensor's largest value, in '" + plain_text(rounding.tensor) + "'";
}

int convert(const app::Flags& flags) {
  const std::string& file = flags.text("IN");
  const std::filesystem::path target = flags.text("OUT");
  std::error_code ignored;
  RESEDA_REQUIRE(flags.on("overwrite") || !std::filesystem::exists(target, ignored), Errc::kOutput, target.string(),
                 ": exists already (--overwrite replaces it)");
  const io::Checkpoint checkpoint = io::read_checkpoint(file, {.opaque = true});
  const io::FoundWeights found = wanted_weights(flags, checkpoint, file);
  check_room(found.tensors, file);
  const std::string& dtype = flags.text("dtype");
  Rounding rounding;
  StateDict weights = dtype == "keep" ? found.tensors
                                      : round_weights(found.tensors,
                                                      dtype == "f32"   ? c10::ScalarType::Float
                                                      : dtype == "f16" ? c10::ScalarType::Half
                                                                       : c10::ScalarType::BFloat16,
                                                      rounding);
  std::uint64_t bytes = 0;
  for (const auto& [name, tensor] : weights) bytes += logical_bytes(tensor);
  std::printf("%s: %s\n", plain_text(file, 4096).c_str(), found_text(found).c_str());
  if (flags.on("dry-run")) {
    std::printf("would write %s: %s of tensors, %s\n", plain_text(target.string(), 4096).c_str(),
                size_text(bytes).c_str(), rounding_text(rounding).c_str());
    return 0;
  }
  add_source(weights, checkpoint, found, file);
  io::write_safetensors(weights, target);
  std::printf("written %s: %s, %s\n", plain_text(target.string(), 4096).c_str(),
              size_text(std::filesystem::file_size(target)).c_str(), rounding_text(rounding).c_str());
  return 0;
}

}  // namespace

app::Verb convert_verb() {
  app::FlagTable table;
  table
      .add({.name = "IN",
            .help = "a checkpoint (.ckpt, .pth, .pt, .safetensors, or an index of safetensors shards)",
            .hint = app::ValueHint::kFile,
            .required = true,
            .positional = true})
      .add({.name = "OUT",
            .help = "the safetensors file to write",
            .hint = app::ValueHint::kFile,
            .required = true,
            .positional = true})
      .add({.name = "weights",
            .letter = 'w',
            .word = "NAME",
            .help =
                "which weights: ema, raw, or a place that inspect lists; by default the running average where there "
                "is one"})
      .add({.name = "prefix",
            .word = "TEXT",
            .help = "taken off the front of names; by default what trainers put there (module., model., dnn., "
                    "_orig_mod.), '' for nothing"})
      .add({.name = "drop",
            .word = "PATTERN",
            .help = "leave out tensors whose names fit, e.g. 'loss.*'",
            .repeatable = true})
      .add({.name = "config",
            .letter = 'c',
            .word = "FILE|NAME",
            .help = "config of a published checkpoint (reseda tools models lists them): says where the weights are",
            .hint = app::ValueHint::kFile})
      .add({.name = "dtype",
            .value = "keep",
            .help = "type of floating-point tensors; the largest rounding error is reported",
            .choices = {"keep", "f32", "f16", "bf16"}})
      .add({.name = "opaque",
            .type = app::FlagType::kSwitch,
            .help = "read files that name Python classes outside the allow-list, without what these hold"})
      .add({.name = "overwrite", .type = app::FlagType::kSwitch, .help = "replace OUT if it is there"})
      .add({.name = "dry-run", .type = app::FlagType::kSwitch, .help = "say what would be written, write nothing"});
  return {"convert",
          "Writes the weights of a checkpoint as one safetensors file, with the settings it was trained with.",
          "reseda tools convert epoch=326.ckpt model.safetensors --dtype bf16", table, &convert};
}

}  // namespace reseda::tools
