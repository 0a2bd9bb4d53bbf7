#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/batch/discovery.hpp"
#include "modules/core/config_node.hpp"
#include "modules/core/progress.hpp"
#include "pipelines/common/flags.hpp"

namespace reseda::app {

/// One item of a batch as a job sees it.
struct BatchItem {
  std::string id;                ///< stable name: the path relative to its root; keys the noise
  std::filesystem::path input;   ///< file to read; standard input is already spooled into one
  std::filesystem::path output;  ///< final name, for its extension and for messages; "-" is standard output
  /// File that save() writes; the runner gives it its final name. Of an item of several files: a folder that save()
  /// creates.
  std::filesystem::path staged;
  std::size_t index = 0;  ///< position among this run's items
};

/// What an item may use while it is computed.
struct ItemContext {
  const BatchItem& item;
  /// Report steps here; false asks the job to stop: throw Error{kInterrupted} at the next safe point (report_progress
  /// does).
  ProgressSink progress;
  /// Reports and throws Error{kInterrupted} when the run is being stopped.
  void report(std::int64_t done, std::int64_t total, const std::string& note = "") const;
};

/// The work on one item. Made by OpenItem with the input decoded; the three calls come in this order.
class ItemJob {
 public:
  virtual ~ItemJob() = default;
  /// On the calling thread of run_batch.
  virtual void compute(ItemContext& context) = 0;
  /// On the write-behind thread: writes BatchItem::staged, an empty file, in place, or creates it as a folder. It is
  /// synced, hashed, entered in the ledger and renamed afterwards, or removed if this throws.
  virtual void save() = 0;
  /// Further files, which save() writes too, in place at io::staged_name of each; a name that ends in '/' is a folder,
  /// which save() creates. They get their names before the output does, and replace only what the ledger knows, unless
  /// --overwrite is given.
  virtual std::vector<std::filesystem::path> companions() const { return {}; }
  /// Shown by --json and kept in the ledger, e.g. {seconds_of_audio: 12.3}. Called after save().
  virtual ConfigNode facts() const { return ConfigNode::map(); }
};

/// Opens and decodes one item; runs on the read-ahead thread. @throws Error, recorded as this item's failure
using OpenItem = std::function<std::unique_ptr<ItemJob>(const BatchItem&)>;

enum class ProgressStyle { kAuto, kBar, kPlain, kJson, kNone };

struct BatchOptions {
  std::vector<std::string> inputs;  ///< files, folders, globs, @lists or "-"
  std::string output;               ///< -o: a file for one file, else a folder; "" or "-" with input "-"
  bool recursive = false, overwrite = false, force = false, fail_fast = false, json = false, dry_run = false;
  std::string suffix;  ///< put before the output's extension
  std::string shard;   ///< "i/n" or "auto"; "" for the whole
  ProgressStyle progress = ProgressStyle::kAuto;
  std::vector<std::string> extensions;  ///< what folders are searched for, lower case with dot, e.g. ".wav"
  std::optional<io::Discovery> found;   ///< items that the program itself found in the inputs, where files are not it
  std::string output_extension;         ///< with dot; "" keeps the input's
  ConfigNode config;                    ///< everything that decides the output's bytes: config, seed, precision
  std::string model_sha256;             ///< of the weights; "" for none
};

/// INPUT..., -o, -r, --suffix, --overwrite, --force, --shard, --fail-fast, --json, --dry-run, --progress.
FlagTable batch_flags();
/// The options those flags give; the caller fills in extensions, config and model.
BatchOptions batch_options(const Flags& flags);

/// Runs every item: opened one thread ahead, computed here, saved one thread behind. Skips what the output folder's
/// ledger (run.jsonl) says is done; a failed item is reported and the run goes on.
/// @return 0 all fine, 1 some items failed, the items' Errc if all failed alike, 130 when stopped by a signal
/// @throws Error{kUsage}, Error{kInput} for inputs that name nothing, Error{kOutput} for outputs that collide or exist;
///         all before any work starts
int run_batch(const BatchOptions& options, const OpenItem& open);

}  // namespace reseda::app
