#include "pipelines/certify/run_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "io/record/json.hpp"
#include "modules/core/error.hpp"

namespace reseda::certify {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFile = std::size_t{1} << 31;

fs::path with_extension(fs::path log, const std::string& extension) { return log.replace_extension(extension); }

/// What is kept of an image at work.
struct SavedVotes {
  std::int64_t index = -1;
  std::string pixels_sha256;
  RunSettings settings;
  std::vector<std::int64_t> selection, estimation, looks;
  template <class V>
  void fields(V& v) {
    v("idx", index, "the image");
    v("pixels_sha256", pixels_sha256, "of its bytes");
    v("settings", settings, "of the run");
    v("selection", selection, "votes per class, the last for none");
    v("estimation", estimation, "votes per class, the last for none");
    v("looks", looks, "hits between looks");
  }
};

io::Descriptor open_append(const fs::path& file) {
  io::Descriptor out(::open(file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  RESEDA_REQUIRE(out.valid(), Errc::kOutput, file.string(), ": cannot write: ", std::strerror(errno));
  return out;
}

fs::path checked(const fs::path& log) {
  std::error_code error;
  RESEDA_REQUIRE(log.has_filename(), Errc::kUsage, "--output ", log.string(), ": names no file");
  RESEDA_REQUIRE(!log.has_parent_path() || fs::is_directory(log.parent_path(), error), Errc::kOutput, log.string(),
                 ": there is no such folder");
  RESEDA_REQUIRE(log.extension() != ".jsonl", Errc::kUsage, "--output ", log.string(),
                 ": name the log (FILE.tsv); its records go to FILE.jsonl");
  return log;
}

}  // namespace

fs::path records_path(const fs::path& log) { return with_extension(log, ".jsonl"); }
fs::path votes_path(const fs::path& log) { return with_extension(log, ".votes.json"); }
fs::path log_of_sigma(const fs::path& log, double sigma) {
  return log.parent_path() /
         (log.stem().string() + ".sigma-" + number_text(sigma) + (log.has_extension() ? log.extension().string() : ""));
}

RecordFile read_records(const fs::path& file, TornEnd torn_end) {
  const std::string text = io::read_file(file, kMaxFile);
  RecordFile out;
  std::set<std::int64_t> seen;
  std::size_t line = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::string where = file.string() + ": line " + std::to_string(++line);
    const std::size_t end = text.find('\n', at);
    if (end == std::string::npos) {
      RESEDA_REQUIRE(torn_end == TornEnd::kLeaveOut, Errc::kInput, where,
                     ": has no end; a run was cut here: go on with it first");
      out.torn = true;
      break;
    }
    RecordWithSettings found = parse_record(text.substr(at, end - at), where);
    if (out.records.empty()) out.settings = found.settings;
    const std::string difference = settings_difference(found.settings, out.settings);
    RESEDA_REQUIRE(difference.empty(), Errc::kInput, where, ": comes from another run: ", difference);
    RESEDA_REQUIRE(seen.insert(found.record.index).second, Errc::kInput, where, ": repeats image ", found.record.index);
    out.records.push_back(std::move(found.record));
    at = end + 1;
  }
  return out;
}

std::string log_text(const std::map<std::int64_t, ImageRecord>& records) {
  std::string text = cohen_header(true) + "\n";
  for (const auto& [index, record] : records) text += cohen_line(record.row()) + "\n";
  return text;
}

std::string records_text(const std::map<std::int64_t, ImageRecord>& records, const RunSettings& settings) {
  std::string text;
  for (const auto& [index, record] : records) text += record_line(record, settings) + "\n";
  return text;
}

std::map<std::int64_t, ImageRecord> finished_records(const fs::path& log, const RunSettings& settings, bool overwrite) {
  std::error_code error;
  std::map<std::int64_t, ImageRecord> records;
  const fs::path file = records_path(checked(log));
  if (!fs::exists(file, error)) {
    RESEDA_REQUIRE(overwrite || !fs::exists(log, error), Errc::kOutput, log.string(), ": exists without ",
                   file.filename().string(), " beside it; --overwrite replaces it");
    return records;
  }
  RecordFile found;
  try {
    found = read_records(file, TornEnd::kLeaveOut);
  } catch (const Error&) {
    if (!overwrite) throw;
    return records;
  }
  if (found.records.empty()) return records;
  const std::string difference = settings_difference(found.settings, settings);
  RESEDA_REQUIRE(overwrite || difference.empty(), Errc::kOutput, file.string(),
                 ": holds results of other settings: ", difference, "; choose another --output, or --overwrite");
  if (difference.empty())
    for (ImageRecord& record : found.records) records.emplace(record.index, std::move(record));
  return records;
}

RunFiles::RunFiles(const fs::path& log, RunSettings settings, bool overwrite)
    : log_(checked(log)), settings_(std::move(settings)), lock_(with_extension(log, ".lock")) {
  records_ = finished_records(log_, settings_, overwrite);
  write_whole();
  open_for_appending();
}

/// Both files as the records say; a file that is so already keeps its bytes and its time.
void RunFiles::write_whole() {
  const auto bring = [](const fs::path& file, const std::string& text) {
    std::error_code error;
    if (fs::file_size(file, error) == text.size() && !error && io::read_file(file, kMaxFile) == text) return;
    io::write_file(file, text, io::Existing::kReplace);
  };
  bring(records_path(log_), records_text(records_, settings_));
  bring(log_, log_text(records_));
}

void RunFiles::open_for_appending() {
  records_file_ = open_append(records_path(log_));
  log_file_ = open_append(log_);
}

void RunFiles::append(const ImageRecord& record) {
  sorted_ = sorted_ && (records_.empty() || records_.rbegin()->first < record.index);
  io::write_bytes(records_file_.get(), record_line(record, settings_) + "\n", records_path(log_).string());
  io::write_bytes(log_file_.get(), cohen_line(record.row()) + "\n", log_.string());
  records_.emplace(record.index, record);
}

std::optional<VoteState> RunFiles::votes(std::int64_t index, const std::string& pixels_sha256) const {
  std::error_code error;
  if (!fs::exists(votes_path(log_), error)) return {};
  SavedVotes saved;
  try {
    read_config(io::read_json(votes_path(log_)), saved, "votes");
  } catch (const Error&) {  // somebody changed it: the image starts anew
    return {};
  }
  if (saved.index != index || saved.pixels_sha256 != pixels_sha256 ||
      !settings_difference(saved.settings, settings_).empty())
    return {};
  return VoteState{saved.selection, saved.estimation, saved.looks};
}

void RunFiles::save_votes(std::int64_t index, const std::string& pixels_sha256, const VoteState& state) const {
  const SavedVotes saved = {index, pixels_sha256, settings_, state.selection, state.estimation, state.looks};
  io::write_file(votes_path(log_), write_config(saved).to_json() + "\n", io::Existing::kReplace);
}

void RunFiles::finish() {
  records_file_.close();
  log_file_.close();
  if (!sorted_) write_whole();
  std::error_code ignored;
  fs::remove(votes_path(log_), ignored);
}

}  // namespace reseda::certify
