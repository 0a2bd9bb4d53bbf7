#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/record/atomic_file.hpp"
#include "io/record/file_bytes.hpp"
#include "pipelines/certify/image_record.hpp"
#include "pipelines/certify/image_votes.hpp"

namespace reseda::certify {

/// The files of a run beside its log: NAME.tsv is the official log, NAME.jsonl holds the records, NAME.votes.json the
/// votes of the image at work.
std::filesystem::path records_path(const std::filesystem::path& log);
std::filesystem::path votes_path(const std::filesystem::path& log);
/// The log of one of several sigmas: NAME.sigma-0.25.tsv.
std::filesystem::path log_of_sigma(const std::filesystem::path& log, double sigma);

/// What a file of records may end in.
enum class TornEnd { kRefuse, kLeaveOut };

/// The records of a file in its order. @param torn_end  of the last line, where a killed run left it unfinished
/// @throws Error{kInput} naming file and line: no such file, no record, an index twice, settings that change
struct RecordFile {
  RunSettings settings;
  std::vector<ImageRecord> records;
  bool torn = false;
};
RecordFile read_records(const std::filesystem::path& file, TornEnd torn_end);

/// The two files' whole contents, records by their index.
std::string log_text(const std::map<std::int64_t, ImageRecord>& records);
std::string records_text(const std::map<std::int64_t, ImageRecord>& records, const RunSettings& settings);

/// The files of one run, opened for going on: what a killed run left is made whole first, and no record is lost. They
/// are complete after every image, and in the order of the index after finish().
class RunFiles {
 public:
  /// Takes over what is there of the same settings, and locks it against other processes.
  /// @param overwrite  whether results of other settings, and logs without records, are replaced
  /// @throws Error{kOutput} otherwise; Error{kInput} where the records are damaged
  RunFiles(const std::filesystem::path& log, RunSettings settings, bool overwrite);

  const std::map<std::int64_t, ImageRecord>& records() const { return records_; }
  void append(const ImageRecord& record);

  /// The votes that a stopped run left of this image, if of these pixels.
  std::optional<VoteState> votes(std::int64_t index, const std::string& pixels_sha256) const;
  void save_votes(std::int64_t index, const std::string& pixels_sha256, const VoteState& state) const;

  /// Sorts the files where shards were run one after the other, and removes what was for going on.
  void finish();

 private:
  void write_whole();
  void open_for_appending();

  std::filesystem::path log_;
  RunSettings settings_;
  std::map<std::int64_t, ImageRecord> records_;
  bool sorted_ = true;
  io::AtomicFile lock_;  // never committed: its staged file is locked while the run lives
  io::Descriptor log_file_, records_file_;
};

/// The records of a file of the same settings, as RunFiles takes them over; none where there is no file. Writes
/// nothing.
std::map<std::int64_t, ImageRecord> finished_records(const std::filesystem::path& log, const RunSettings& settings,
                                                     bool overwrite);

}  // namespace reseda::certify
