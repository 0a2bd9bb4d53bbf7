#include "pipelines/certify/merge.hpp"

#include "io/record/atomic_file.hpp"
#include "modules/core/log.hpp"
#include "pipelines/certify/run_files.hpp"

namespace reseda::certify {
namespace {

namespace fs = std::filesystem;

void require_whole(const MergedRun& run) {
  const std::int64_t absent = run.settings.count() - static_cast<std::int64_t>(run.records.size());
  if (absent == 0) return;
  std::int64_t first = 0;
  while (run.records.count(first) != 0) first += run.settings.skip;
  reseda::detail::raise(Errc::kInput, "image ", first, " is in no shard",
                        absent > 1 ? ", nor are " + std::to_string(absent - 1) + " others" : std::string(),
                        "; --partial merges without them");
}

int merge(const app::Flags& flags) {
  const std::vector<std::string>& names = flags.list("SHARD");
  const std::vector<fs::path> files(names.begin(), names.end());
  const MergedRun run = merge_shards(files, flags.on("partial") ? Gaps::kAllow : Gaps::kRefuse);
  const fs::path log = flags.text("output");
  const auto existing = flags.on("overwrite") ? io::Existing::kReplace : io::Existing::kRefuse;
  for (const fs::path& file : {log, records_path(log)})
    RESEDA_REQUIRE(flags.on("overwrite") || !fs::exists(file), Errc::kOutput, file.string(),
                   ": exists (--overwrite replaces it)");
  RESEDA_REQUIRE(log.extension() != ".jsonl", Errc::kUsage, "--output ", log.string(),
                 ": name the log (FILE.tsv); its records go to FILE.jsonl");
  io::write_file(records_path(log), records_text(run.records, run.settings), existing);
  io::write_file(log, log_text(run.records), existing);
  log::info(run.records.size(), " images of ", files.size(), " shards");
  return 0;
}

}  // namespace

MergedRun merge_shards(const std::vector<fs::path>& files, Gaps gaps) {
  RESEDA_REQUIRE(!files.empty(), Errc::kUsage, "a shard is missing; see --help");
  MergedRun run;
  std::map<std::int64_t, fs::path> origin;
  for (const fs::path& named : files) {
    const fs::path file = records_path(named);
    RecordFile shard = read_records(file, gaps == Gaps::kAllow ? TornEnd::kLeaveOut : TornEnd::kRefuse);
    if (shard.records.empty()) continue;
    if (run.records.empty()) run.settings = shard.settings;
    const std::string difference = settings_difference(shard.settings, run.settings);
    RESEDA_REQUIRE(difference.empty(), Errc::kInput, file.string(), ": is of another run: ", difference);
    for (ImageRecord& record : shard.records) {
      const std::int64_t index = record.index;
      RESEDA_REQUIRE(run.settings.takes(index), Errc::kInput, file.string(), ": has image ", index,
                     ", which its run does not certify");
      RESEDA_REQUIRE(run.records.emplace(index, std::move(record)).second, Errc::kInput, file.string(), ": has image ",
                     index, ", as has ", origin[index].string());
      origin[index] = file;
    }
  }
  RESEDA_REQUIRE(!run.records.empty(), Errc::kInput, "the shards hold no record");
  if (gaps == Gaps::kRefuse) require_whole(run);
  return run;
}

app::Verb merge_verb() {
  app::Verb verb;
  verb.name = "merge";
  verb.about = "Joins the shards of a run: the same bytes as the run in one piece.";
  verb.example = "reseda certify merge part1.tsv part2.tsv -o run.tsv";
  verb.flags.add({.name = "SHARD",
                  .help = "logs with their records beside them (FILE.tsv, FILE.jsonl)",
                  .hint = app::ValueHint::kFile,
                  .required = true,
                  .repeatable = true,
                  .positional = true});
  verb.flags.add({.name = "output",
                  .letter = 'o',
                  .word = "FILE.tsv",
                  .help = "log of the whole run, with FILE.jsonl beside it",
                  .hint = app::ValueHint::kFile,
                  .required = true});
  verb.flags.add({.name = "partial", .type = app::FlagType::kSwitch, .help = "merge although images are missing"});
  verb.flags.add({.name = "overwrite", .type = app::FlagType::kSwitch, .help = "replace files that are there"});
  verb.run = merge;
  return verb;
}

}  // namespace reseda::certify
