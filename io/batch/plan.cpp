#include "io/batch/plan.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>

#include "io/batch/file_stamp.hpp"

namespace reseda::io {
namespace {

namespace fs = std::filesystem;
using FileId = std::pair<dev_t, ino_t>;

bool file_id(const fs::path& file, FileId& out) {
  struct stat facts {};
  if (::stat(file.c_str(), &facts) != 0) return false;
  out = {facts.st_dev, facts.st_ino};
  return true;
}

/// Two items with one output: neither may win.
void refuse_collisions(const std::vector<PlannedItem>& items) {
  std::map<fs::path, const PlannedItem*> owner;
  for (const PlannedItem& item : items) {
    const auto [found, fresh] = owner.emplace(item.output, &item);
    RESEDA_REQUIRE(fresh, Errc::kUsage, found->second->input.string(), " and ", item.input.string(), " both map to ",
                   item.output.string());
  }
}

/// No output may be an input of this run, by whatever name or link.
void refuse_inputs(const std::vector<PlannedItem>& items) {
  std::map<FileId, const PlannedItem*> inputs;
  FileId id;
  for (const PlannedItem& item : items)
    if (file_id(item.input, id)) inputs.emplace(id, &item);
  for (const PlannedItem& item : items) {
    if (!file_id(item.output, id)) continue;
    const auto found = inputs.find(id);
    RESEDA_REQUIRE(found == inputs.end(), Errc::kOutput, item.output.string(), ": would overwrite the input ",
                   found->second->input.string(), "; give another folder with -o, or a --suffix");
  }
}

bool made_from(const LedgerEntry& entry, const PlannedItem& item, const WorkKey& key) {
  if (entry.key != key) return false;
  const std::string stamp = input_stamp(item.files);
  if (stamp.empty() || stamp == entry.input_stamp) return !stamp.empty();
  try {
    return files_sha256(item.files) == entry.input_sha256;
  } catch (const Error&) {
    return false;  // unreadable: opening it fails this item, not the plan
  }
}

}  // namespace

fs::path output_path(const OutputNaming& naming, const std::string& id) {
  if (!naming.file.empty()) return naming.file;
  const fs::path relative = fs::path(id).lexically_normal();
  RESEDA_REQUIRE(relative.is_relative() && *relative.begin() != "..", Errc::kInput, "'", id,
                 "' would leave the output folder");
  const std::string extension = naming.extension.empty() ? relative.extension().string() : naming.extension;
  return (naming.folder / relative.parent_path() / (relative.stem().string() + naming.suffix + extension))
      .lexically_normal();
}

Plan make_plan(std::vector<InputFile> inputs, const PlanOptions& options, const Ledger* ledger) {
  if (ledger != nullptr)
    std::erase_if(inputs, [&](const InputFile& input) { return ledger->matching(input.path) != nullptr; });
  Plan plan;
  std::vector<PlannedItem> all;
  for (const InputFile& input : inputs) {
    const bool folder = !input.files.empty();
    all.push_back({input.id, input.path, output_path(options.naming, input.id), Action::kNew,
                   folder ? input.files : std::vector<fs::path>{input.path}, folder});
  }
  refuse_collisions(all);
  refuse_inputs(all);
  plan.whole = all.size();
  std::size_t refused = 0;
  fs::path first_refused;
  for (std::size_t i = 0; i < all.size(); ++i) {
    PlannedItem& item = all[i];
    if (!options.shard.holds(i)) continue;
    std::error_code error;
    if (fs::exists(fs::symlink_status(item.output, error))) {
      const LedgerEntry* entry = ledger == nullptr ? nullptr : ledger->matching(item.output);
      const bool done = entry != nullptr && !options.force && made_from(*entry, item, options.key);
      item.action = done ? Action::kDone : Action::kRedo;
      if (entry == nullptr && !options.overwrite && refused++ == 0) first_refused = item.output;
    }
    plan.items.push_back(item);
  }
  RESEDA_REQUIRE(refused == 0, Errc::kOutput, first_refused.string(),
                 ": exists and was not written by this program, or was changed since",
                 refused > 1 ? " (and " + std::to_string(refused - 1) + " more)" : "", "; --overwrite replaces it");
  return plan;
}

}  // namespace reseda::io
