#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/record/json_lines.hpp"
#include "modules/core/config_node.hpp"

namespace reseda::io {

/// What made an output: equal keys give equal bytes.
struct WorkKey {
  std::string config_sha256;  ///< of everything that decides the bytes besides input and weights
  std::string model_sha256;   ///< "" for none
  bool operator==(const WorkKey&) const = default;
};

/// One output that a run wrote, or was about to rename into place; items may have several.
struct LedgerEntry {
  std::string id, output;  ///< output: as Ledger::name_of gives it
  std::string input_sha256, input_stamp, output_sha256, output_stamp;
  WorkKey key;
};

/// One line of the ledger besides the entry.
struct ItemRecord {
  std::string code, message;  ///< of a failure; code "" when it went well
  double seconds = 0;
  ConfigNode facts = ConfigNode::map();
};

/// The record of an output folder, run.jsonl: one line per run and per item. Written by any number of processes at
/// once; an item's line is there before its output gets its name, so that a killed run leaves no output unaccounted
/// for.
class Ledger {
 public:
  static constexpr const char* kName = "run.jsonl";

  /// Reads what is there. @throws Error{kOutput} if the file is not such a ledger
  explicit Ledger(std::filesystem::path folder);

  /// The entries of an output, oldest first; the file holds the bytes of one of them, or is somebody else's.
  const std::vector<LedgerEntry>& entries(const std::filesystem::path& output) const;
  /// The entry whose bytes the existing file holds: by its stamp, else by its hash. nullptr if none.
  const LedgerEntry* matching(const std::filesystem::path& output) const;
  /// An output's name in the ledger: its path below the ledger's folder.
  std::string name_of(const std::filesystem::path& output) const;
  std::size_t size() const { return entries_.size(); }

  /// Creates the folder and the file. @throws Error{kOutput}
  void open_for_writing();
  void write_run(const JsonObject& run);
  void write_done(const LedgerEntry& entry, const ItemRecord& record);
  void write_failed(const std::string& id, const ItemRecord& record);

 private:
  std::filesystem::path folder_;
  std::map<std::string, std::vector<LedgerEntry>> entries_;
  std::unique_ptr<JsonLinesFile> file_;
};

}  // namespace reseda::io
