#include "io/batch/ledger.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "io/batch/file_stamp.hpp"

namespace reseda::io {
namespace {

constexpr std::string_view kFirstBytes = "{\"reseda\": ";

/// A name as it comes back from the ledger, where bytes that are not UTF-8 were replaced.
std::string as_recorded(const std::string& name) { return json_quoted(name); }

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

/// An empty file, or one that starts as a ledger does, even if its first line was cut short.
bool starts_as_ledger(const std::filesystem::path& file) {
  const Descriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!in.valid()) return errno == ENOENT;
  std::array<char, kFirstBytes.size()> bytes{};
  const ssize_t got = ::read(in.get(), bytes.data(), bytes.size());
  if (got < 0) return false;
  const std::string_view start(bytes.data(), static_cast<std::size_t>(got));
  return start == kFirstBytes.substr(0, start.size());
}

std::string text_of(const ConfigNode& line, std::string_view key) {
  const ConfigNode* node = line.find(key);
  return node == nullptr ? std::string() : node->scalar();
}

JsonObject item_line(const std::string& id, const ItemRecord& record) {
  JsonObject line;
  line.add("reseda", "item").add("id", id).add("status", record.code.empty() ? "done" : "failed");
  if (!record.code.empty()) line.add("code", record.code).add("message", record.message);
  line.add("seconds", record.seconds).add("finished", now_utc());
  return line;
}

}  // namespace

Ledger::Ledger(std::filesystem::path folder) : folder_(std::move(folder)) {
  const std::filesystem::path file = folder_ / kName;
  RESEDA_REQUIRE(starts_as_ledger(file), Errc::kOutput, file.string(),
                 ": is not a record of reseda's runs; choose another output folder");
  read_json_lines(file, [&](const ConfigNode& line) {
    if (text_of(line, "reseda") != "item" || text_of(line, "status") != "done") return;
    LedgerEntry entry;
    entry.id = text_of(line, "id");
    entry.output = text_of(line, "output");
    entry.input_sha256 = text_of(line, "input_sha256");
    entry.input_stamp = text_of(line, "input_stamp");
    entry.output_sha256 = text_of(line, "output_sha256");
    entry.output_stamp = text_of(line, "output_stamp");
    entry.key = {text_of(line, "config_sha256"), text_of(line, "model_sha256")};
    entries_[as_recorded(entry.output)].push_back(std::move(entry));
  });
}

std::string Ledger::name_of(const std::filesystem::path& output) const {
  // Through the real folder, so that an output is known by whatever path leads to it.
  std::error_code error;
  const auto parent = output.has_parent_path() ? output.parent_path() : std::filesystem::path(".");
  const auto place = std::filesystem::weakly_canonical(parent, error) / output.filename();
  return place.lexically_relative(std::filesystem::weakly_canonical(folder_, error)).generic_string();
}

const std::vector<LedgerEntry>& Ledger::entries(const std::filesystem::path& output) const {
  static const std::vector<LedgerEntry> none;
  if (entries_.empty()) return none;
  const auto found = entries_.find(as_recorded(name_of(output)));
  return found == entries_.end() ? none : found->second;
}

const LedgerEntry* Ledger::matching(const std::filesystem::path& output) const {
  const std::vector<LedgerEntry>& known = entries(output);
  const std::string stamp = known.empty() ? "" : output_stamp(output);
  if (stamp.empty()) return nullptr;
  for (auto entry = known.rbegin(); entry != known.rend(); ++entry)
    if (entry->output_stamp == stamp) return &*entry;
  const std::string hash = output_sha256(output);
  for (auto entry = known.rbegin(); entry != known.rend(); ++entry)
    if (entry->output_sha256 == hash) return &*entry;
  return nullptr;
}

void Ledger::open_for_writing() {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  RESEDA_REQUIRE(!error, Errc::kOutput, folder_.string(), ": cannot create the folder: ", error.message());
  file_ = std::make_unique<JsonLinesFile>(folder_ / kName);
}

void Ledger::write_run(const JsonObject& run) {
  // The run's own fields follow the two that every run has.
  const std::string rest = run.line().substr(1);
  file_->append("{\"reseda\": \"run\", \"started\": " + json_quoted(now_utc()) + (rest == "}" ? rest : ", " + rest));
}

void Ledger::write_done(const LedgerEntry& entry, const ItemRecord& record) {
  JsonObject line = item_line(entry.id, record);
  line.add("output", entry.output)
      .add("input_sha256", entry.input_sha256)
      .add("input_stamp", entry.input_stamp)
      .add("output_sha256", entry.output_sha256)
      .add("output_stamp", entry.output_stamp)
      .add("config_sha256", entry.key.config_sha256)
      .add("model_sha256", entry.key.model_sha256)
      .add("facts", record.facts);
  file_->append(line.line());
}

void Ledger::write_failed(const std::string& id, const ItemRecord& record) {
  file_->append(item_line(id, record).line());
}

}  // namespace reseda::io
