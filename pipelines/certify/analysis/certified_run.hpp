#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/certify/image_record.hpp"

namespace reseda::certify {

/// What a file says about a run of certification.
struct CertifiedRun {
  std::string name;
  std::vector<CohenRow> rows;           ///< one for each image, in the order of the file
  std::optional<RunSettings> settings;  ///< of records; a log has none
  /// The column `correct` of the file is something else than label == predict and was not used.
  bool other_correct = false;

  std::vector<stats::CertifiedImage> images() const;
  bool has_radii() const { return rows.empty() || rows.front().radius.has_value(); }
};

/// Of an official log, as `reseda certify run` and locuslab/smoothing write it: radii have three digits, rounded to
/// nearest. @throws Error{kInput} "name: line ...", also without images
CertifiedRun parse_log(const std::string& name, std::string_view text);
/// Of the records that `reseda certify run` writes beside it: radii are as certified.
/// @throws Error{kInput} the same, or where lines have different settings
CertifiedRun parse_records(const std::string& name, std::string_view text);
/// Records where the file's name ends in .jsonl, else a log. @param name  of the run; the file's stem where empty
CertifiedRun read_run(const std::filesystem::path& file, const std::string& name = "");

/// The run as an official log, with the column `correct` as it should be.
std::string to_log(const CertifiedRun& run);

}  // namespace reseda::certify
