#include "pipelines/tools/models.hpp"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "io/checkpoint/safetensors.hpp"
#include "io/record/json_lines.hpp"
#include "io/record/sha256.hpp"
#include "modules/core/log.hpp"
#include "pipelines/common/resources.hpp"

namespace reseda::tools {
namespace {

struct ModelFacts {
  std::string file, name, licence, sha256;
  std::int64_t parameters = 0, bytes = 0;
};

std::string metadata_of(const StateDict& weights, const std::string& key) {
  const auto found = weights.metadata.find(key);
  return found == weights.metadata.end() ? "unknown" : found->second;
}

ModelFacts read_model(const std::filesystem::path& file) {
  const StateDict weights = io::read_safetensors(file);
  ModelFacts model{file.string(), metadata_of(weights, "reseda.name"), metadata_of(weights, "reseda.licence"),
                   io::sha256_file(file, Errc::kCheckpoint)};
  for (const auto& [name, tensor] : weights) model.parameters += tensor.numel();
  model.bytes = static_cast<std::int64_t>(std::filesystem::file_size(file));
  return model;
}

std::vector<std::filesystem::path> model_files(const std::vector<std::string>& places) {
  std::vector<std::filesystem::path> files;
  for (const std::string& place : places) {
    std::error_code error;
    if (!std::filesystem::is_directory(place, error)) {
      files.emplace_back(place);
      continue;
    }
    std::vector<std::filesystem::path> found;
    for (std::filesystem::directory_iterator it(place, error); !error && it != std::filesystem::directory_iterator();
         it.increment(error))
      if (it->path().extension() == ".safetensors") found.push_back(it->path());
    RESEDA_REQUIRE(!error, Errc::kInput, place, ": cannot read the folder: ", error.message());
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

void print_model(const ModelFacts& model, bool json) {
  if (json)
    std::puts(io::JsonObject()
                  .add("name", model.name)
                  .add("parameters", model.parameters)
                  .add("bytes", model.bytes)
                  .add("licence", model.licence)
                  .add("sha256", model.sha256)
                  .add("file", model.file)
                  .line()
                  .c_str());
  else
    std::printf("%-20s %8.2f M parameters  %-12s %s\n  sha256 %s\n", model.name.c_str(),
                static_cast<double>(model.parameters) * 1e-6, model.licence.c_str(), model.file.c_str(),
                model.sha256.c_str());
}

int models(const app::Flags& flags) {
  std::vector<std::string> places = flags.list("MODEL");
  if (places.empty()) places.push_back(app::resource_folder("models").string());
  const auto files = model_files(places);
  if (files.empty()) log::warning(places.front(), ": no models (*.safetensors)");
  for (const auto& file : files) print_model(read_model(file), flags.on("json"));
  return 0;
}

}  // namespace

app::Verb models_verb() {
  app::FlagTable table;
  table.add({.name = "MODEL",
             .help = "safetensors files, or folders of them; by default the installed models",
             .hint = app::ValueHint::kFile,
             .repeatable = true,
             .positional = true});
  table.add({.name = "json", .type = app::FlagType::kSwitch, .help = "print one JSON object per model"});
  return {"models", "Lists models with their size, licence and hash.", "reseda tools models", table, &models};
}

}  // namespace reseda::tools
