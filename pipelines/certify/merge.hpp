#pragma once

#include <filesystem>
#include <map>
#include <vector>

#include "pipelines/certify/image_record.hpp"
#include "pipelines/common/program.hpp"

namespace reseda::certify {

/// The records of all shards of one run.
struct MergedRun {
  RunSettings settings;
  std::map<std::int64_t, ImageRecord> records;
};

enum class Gaps { kRefuse, kAllow };

/// @param files  records (.jsonl) of the shards, or their logs (.tsv) with the records beside them
/// @throws Error{kInput} naming file and rule: different settings or models, an image that two shards have or that the
///         run does not, a record cut short, and with kRefuse an image that no shard has; Error{kUsage} without files
MergedRun merge_shards(const std::vector<std::filesystem::path>& files, Gaps gaps);

/// `reseda certify merge`: the files of shards in, those of the whole run out.
app::Verb merge_verb();

}  // namespace reseda::certify
