#include "pipelines/tools/models.hpp"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "io/checkpoint/checkpoint.hpp"
#include "io/record/sha256.hpp"
#include "modules/core/log.hpp"
#include "pipelines/common/resources.hpp"
#include "pipelines/tools/chosen_weights.hpp"
#include "pipelines/tools/json_writer.hpp"
#include "pipelines/tools/model_records.hpp"
#include "pipelines/tools/plain_text.hpp"

namespace reseda::tools {
namespace {

namespace fs = std::filesystem;

/// A model file that is here.
struct ModelFile {
  fs::path file, card;
  std::string name, licence, sha256;
  std::uint64_t parameters = 0, bytes = 0;
};

std::string metadata_of(const io::Checkpoint& checkpoint, const std::string& key) {
  const auto found = checkpoint.metadata.find(key);
  return found == checkpoint.metadata.end() ? "unknown" : found->second;
}

ModelFile read_model(const fs::path& file) {
  const io::Checkpoint checkpoint = io::read_checkpoint(file, {.opaque = true});
  ModelFile model;
  model.file = file;
  model.name = metadata_of(checkpoint, "reseda.name");
  model.licence = metadata_of(checkpoint, "reseda.licence");
  model.sha256 = io::sha256_file(file, Errc::kCheckpoint);
  model.bytes = checkpoint.file_bytes;
  try {
    for (const auto& [name, tensor] : io::find_weights(checkpoint, default_weights()).tensors)
      model.parameters += static_cast<std::uint64_t>(tensor.numel());
  } catch (const Error&) {  // a file whose weights need a config to be found: its size says enough
  }
  const fs::path card = fs::path(file).replace_extension(".md");
  std::error_code ignored;
  if (fs::is_regular_file(card, ignored)) model.card = card;
  return model;
}

bool is_checkpoint_name(const fs::path& path) {
  static constexpr std::array<const char*, 5> kExtensions = {".safetensors", ".ckpt", ".pth", ".pt", ".tar"};
  return std::find(kExtensions.begin(), kExtensions.end(), path.extension().string()) != kExtensions.end();
}

std::vector<fs::path> model_files(const std::vector<std::string>& places) {
  std::vector<fs::path> files;
  for (const std::string& place : places) {
    std::error_code error;
    if (!fs::is_directory(place, error)) {
      files.emplace_back(place);
      continue;
    }
    std::vector<fs::path> found;
    for (fs::directory_iterator it(place, error); !error && it != fs::directory_iterator(); it.increment(error))
      if (is_checkpoint_name(it->path())) found.push_back(it->path());
    RESEDA_REQUIRE(!error, Errc::kInput, place, ": cannot read the folder: ", error.message());
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

const char* verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kVerified:
      return "verified";
    case Verdict::kDiffers:
      return "DIFFERS";
    case Verdict::kUnrecorded:
      return "not on record";
  }
  return "";
}

void print_model(const ModelFile& model, const Verification* checked, bool json) {
  if (!json) {
    std::printf("%-20s %8.2f M parameters  %-12s %s  %s\n", plain_text(model.name).c_str(),
                static_cast<double>(model.parameters) * 1e-6, plain_text(model.licence).c_str(),
                size_text(model.bytes).c_str(), plain_text(model.file.string(), 4096).c_str());
    if (!model.card.empty()) std::printf("  card     %s\n", plain_text(model.card.string(), 4096).c_str());
    std::printf("  sha256   %s\n", model.sha256.c_str());
    if (checked != nullptr) std::printf("  %s: %s\n", verdict_name(checked->verdict), checked->detail.c_str());
    return;
  }
  JsonWriter out(stdout);
  out.begin_object().field("kind", "file").field("name", model.name).field("parameters", model.parameters);
  out.field("bytes", model.bytes).field("licence", model.licence).field("sha256", model.sha256);
  out.field("file", model.file.string()).field("card", model.card.string());
  if (checked != nullptr)
    out.field("verified", checked->verdict == Verdict::kVerified).field("verification", checked->detail);
  out.end_object();
  std::fputc('\n', stdout);
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void print_record(const ModelRecord& record, bool json) {
  if (!json) {
    std::puts(plain_text(record.name).c_str());
    const auto line = [](const char* key, const std::string& value) {
      if (!value.empty()) std::printf("  %-8s %s\n", key, plain_text(value, 300).c_str());
    };
    line("about", record.about);
    line("files", joined(record.files));
    line("from", record.source);
    line("licence", record.licence);
    line("size", record.bytes != 0 ? size_text(record.bytes) : record.size);
    std::printf("  sha256   %s\n", record.sha256.empty() ? "not on record" : record.sha256.c_str());
    return;
  }
  JsonWriter out(stdout);
  out.begin_object().field("kind", "published").field("name", record.name).field("about", record.about);
  out.key("files").begin_list();
  for (const std::string& file : record.files) out.text(file);
  out.end_list().field("source", record.source).field("licence", record.licence);
  out.field("size", record.size).field("parameters", record.parameters);
  record.sha256.empty() ? out.key("sha256").null() : out.field("sha256", record.sha256);
  out.end_object();
  std::fputc('\n', stdout);
}

/// What is on record about a file: the published checkpoints, and what its folder lists.
std::vector<ModelRecord> records_for(const fs::path& file, const std::vector<ModelRecord>& published) {
  std::vector<ModelRecord> records = recorded_models(file.has_parent_path() ? file.parent_path() : fs::path("."));
  records.insert(records.end(), published.begin(), published.end());
  return records;
}

int models(const app::Flags& flags) {
  const bool json = flags.on("json"), verifying = flags.on("verify");
  std::vector<std::string> places = flags.list("MODEL");
  const bool shipped = places.empty();
  if (shipped) places.push_back(app::resource_folder("models").string());
  const std::vector<ModelRecord> published =
      shipped || verifying ? published_checkpoints(app::resource_folder("configs")) : std::vector<ModelRecord>();
  const auto files = model_files(places);
  if (files.empty()) log::warning(places.front(), ": no models");
  if (shipped && !json) std::printf("Shipped models\n\n");
  std::string failed;
  for (const fs::path& file : files) {
    const ModelFile model = read_model(file);
    if (!verifying) {
      print_model(model, nullptr, json);
      continue;
    }
    const Verification checked = verify(file, model.sha256, model.bytes, records_for(file, published));
    print_model(model, &checked, json);
    if (checked.verdict != Verdict::kVerified && failed.empty()) failed = file.string() + ": " + checked.detail;
  }
  if (shipped) {
    if (!json) std::printf("\nPublished checkpoints that are configured%s\n\n", published.empty() ? ": none" : "");
    for (const ModelRecord& record : published) print_record(record, json);
  }
  RESEDA_REQUIRE(failed.empty(), Errc::kCheckpoint, "not verified: ", failed);
  return 0;
}

}  // namespace

app::Verb models_verb() {
  app::FlagTable table;
  table.add({.name = "MODEL",
             .help =
                 "checkpoint files, or folders of them; by default the shipped models and the published checkpoints "
                 "that have a config",
             .hint = app::ValueHint::kFile,
             .repeatable = true,
             .positional = true});
  table.add({.name = "verify",
             .type = app::FlagType::kSwitch,
             .help = "compare each file's SHA-256 with what is on record; exit code 4 unless all are as recorded"});
  table.add({.name = "json", .type = app::FlagType::kSwitch, .help = "print one JSON object per model"});
  return {"models", "Lists models with their size, licence and hash, and where published checkpoints come from.",
          "reseda tools models --verify downloads/*.ckpt", table, &models};
}

}  // namespace reseda::tools
