#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace reseda::tools {

/// What is on record about a published checkpoint or a shipped model.
struct ModelRecord {
  std::string name;                ///< as --config takes it, e.g. "rddm/rddm-celeba64"; of a model its file's stem
  std::vector<std::string> files;  ///< patterns of the names it is published under
  std::string about, source, licence;
  std::string size;         ///< as the record says it, e.g. "357 MB"
  std::uint64_t bytes = 0;  ///< where the size is a number of bytes; else 0
  std::string parameters;   ///< "" when unknown
  std::string sha256;       ///< "" when unknown
};

/// The configs below a folder that describe a published checkpoint, in the block `checkpoint`; by name.
/// @throws Error{kUsage} if a config is no valid YAML
std::vector<ModelRecord> published_checkpoints(const std::filesystem::path& configs);

/// The files that SHA256SUMS of a folder lists; none without that file. @throws Error{kInput} on a line that is no sum
std::vector<ModelRecord> recorded_models(const std::filesystem::path& folder);

enum class Verdict {
  kVerified,   ///< the hash is on record
  kDiffers,    ///< a record has this file's name and another hash or size
  kUnrecorded  ///< nothing on record to compare with
};

struct Verification {
  Verdict verdict = Verdict::kUnrecorded;
  std::string name;    ///< of the record
  std::string detail;  ///< in words
};

/// Compares a file with the records.
Verification verify(const std::filesystem::path& file, const std::string& sha256, std::uint64_t bytes,
                    const std::vector<ModelRecord>& records);

}  // namespace reseda::tools
