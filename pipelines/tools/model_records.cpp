#include "pipelines/tools/model_records.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "io/record/file_bytes.hpp"
#include "io/record/yaml.hpp"
#include "modules/core/error.hpp"
#include "modules/core/name_pattern.hpp"
#include "pipelines/tools/plain_text.hpp"

namespace reseda::tools {
namespace {

std::string scalar_at(const ConfigNode& node, const char* key) {
  const ConfigNode* found = node.find(key);
  return found == nullptr || found->kind() != ConfigNode::Kind::kScalar ? "" : found->scalar();
}

/// A size in bytes, where the text is one.
std::uint64_t whole_number(const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

std::vector<ModelRecord> published_checkpoints(const std::filesystem::path& configs) {
  std::vector<ModelRecord> records;
  std::error_code error;
  for (auto entry = std::filesystem::recursive_directory_iterator(configs, error);
       !error && entry != std::filesystem::recursive_directory_iterator(); entry.increment(error)) {
    const std::filesystem::path& path = entry->path();
    if (path.extension() != ".yaml" && path.extension() != ".yml") continue;
    const ConfigNode tree = io::read_yaml(path);
    const ConfigNode* block = tree.find("checkpoint");
    if (block == nullptr || block->kind() != ConfigNode::Kind::kMap) continue;
    ModelRecord record;
    record.name = path.lexically_relative(configs).replace_extension().generic_string();
    record.about = scalar_at(*block, "about");
    if (const ConfigNode* files = block->find("files"))
      for (const ConfigNode& file : files->items()) record.files.push_back(file.scalar());
    record.source = scalar_at(*block, "source");
    record.licence = scalar_at(*block, "licence");
    record.size = scalar_at(*block, "size");
    record.bytes = whole_number(record.size);
    record.parameters = scalar_at(*block, "parameters");
    record.sha256 = scalar_at(*block, "sha256");
    if (!is_sha256(record.sha256)) record.sha256.clear();
    records.push_back(std::move(record));
  }
  RESEDA_REQUIRE(!error, Errc::kInput, configs.string(), ": cannot read the folder: ", error.message());
  std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return records;
}

std::vector<ModelRecord> recorded_models(const std::filesystem::path& folder) {
  const std::filesystem::path sums = folder / "SHA256SUMS";
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(sums, ignored)) return {};
  std::istringstream text(io::read_file(sums, 1U << 20));
  std::vector<ModelRecord> records;
  for (std::string line; std::getline(text, line);) {
    if (line.empty()) continue;
    ModelRecord record;
    record.sha256 = line.substr(0, 64);
    RESEDA_REQUIRE(line.size() > 66 && is_sha256(record.sha256) && line[64] == ' ', Errc::kInput, sums.string(),
                   ": expected lines 'sha256  file', got '", plain_text(line), "'");
    record.files = {line.substr(66)};
    record.name = std::filesystem::path(record.files.front()).stem().string();
    records.push_back(std::move(record));
  }
  return records;
}

Verification verify(const std::filesystem::path& file, const std::string& sha256, std::uint64_t bytes,
                    const std::vector<ModelRecord>& records) {
  const auto same = std::find_if(records.begin(), records.end(),
                                 [&](const auto& each) { return !sha256.empty() && each.sha256 == sha256; });
  if (same != records.end()) return {Verdict::kVerified, same->name, "is " + plain_text(same->name)};
  const std::string name = file.filename().string();
  const auto named =
      std::find_if(records.begin(), records.end(), [&](const auto& each) { return matches_any(each.files, name); });
  if (named == records.end()) return {Verdict::kUnrecorded, "", "no model of this name or hash is on record"};
  if (!named->sha256.empty())
    return {Verdict::kDiffers, named->name, plain_text(named->name) + " has the hash " + named->sha256};
  if (named->bytes != 0 && named->bytes != bytes)
    return {Verdict::kDiffers, named->name,
            plain_text(named->name) + " has " + std::to_string(named->bytes) + " bytes, this file " +
                std::to_string(bytes)};
  return {Verdict::kUnrecorded, named->name, "named as " + plain_text(named->name) + ", whose hash is not on record"};
}

}  // namespace reseda::tools
