#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "io/batch/discovery.hpp"
#include "io/batch/ledger.hpp"
#include "io/batch/shard.hpp"

namespace reseda::io {

/// How outputs are called.
struct OutputNaming {
  std::filesystem::path folder;  ///< mirrored tree below it; empty when `file` names the only output
  std::filesystem::path file;
  std::string suffix;     ///< before the extension
  std::string extension;  ///< with dot; "" keeps the input's
};

/// The output of an item: folder / id with suffix and extension. An id that would leave the folder is kInput.
std::filesystem::path output_path(const OutputNaming& naming, const std::string& id);

enum class Action {
  kNew,   ///< no output yet
  kRedo,  ///< an output that is replaced: ours and out of date, or given up by --overwrite
  kDone   ///< the output is there and was made from these bytes with this key
};

struct PlannedItem {
  std::string id;
  std::filesystem::path input, output;
  Action action = Action::kNew;
  std::vector<std::filesystem::path> files;  ///< what is read: `input`, or what it consists of
  bool folder = false;                       ///< the output is a folder
};

struct PlanOptions {
  OutputNaming naming;
  WorkKey key;
  Shard shard;
  bool overwrite = false;  ///< outputs that reseda did not write are replaced too
  bool force = false;      ///< what is done is done again
};

struct Plan {
  std::vector<PlannedItem> items;  ///< of this shard
  std::size_t whole = 0;           ///< items of all shards
};

/// Decides about every item before any work starts; reads files where stamps do not suffice, and writes nothing.
/// Files that the ledger knows as outputs are no inputs.
/// @param ledger  of the output folder, or nullptr
/// @throws Error{kUsage} if two items have one output, Error{kOutput} if an output is an input or exists and may not be
///         replaced
Plan make_plan(std::vector<InputFile> inputs, const PlanOptions& options, const Ledger* ledger);

}  // namespace reseda::io
