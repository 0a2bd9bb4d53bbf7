#include "pipelines/common/batch_runner.hpp"

#include <unistd.h>

#include <cstdio>
#include <optional>

#include "io/batch/discovery.hpp"
#include "io/batch/plan.hpp"
#include "io/record/atomic_file.hpp"
#include "io/record/sha256.hpp"
#include "pipelines/common/batch_run.hpp"
#include "pipelines/common/program.hpp"
#include "pipelines/common/standard_pipes.hpp"
#include "pipelines/common/terminal.hpp"

namespace reseda::app {
namespace {

namespace fs = std::filesystem;

bool names_stream(const BatchOptions& options) {
  return options.output == "-" || (options.inputs.size() == 1 && options.inputs.front() == "-");
}

/// One item from standard input, or to standard output, or both: no ledger, no threads.
int run_stream(const BatchOptions& options, const OpenItem& open) {
  const bool from_stdin = options.inputs.size() == 1 && options.inputs.front() == "-";
  const bool to_stdout = options.output.empty() || options.output == "-";
  RESEDA_REQUIRE(options.inputs.size() == 1, Errc::kUsage, "standard output takes one item, got ",
                 options.inputs.size());
  RESEDA_REQUIRE(!to_stdout || !options.json, Errc::kUsage,
                 "--json and the result cannot both go to standard output; use -o FILE");
  RESEDA_REQUIRE(options.shard.empty(), Errc::kUsage, "--shard needs files");
  BatchItem item;
  item.id = from_stdin ? "-" : fs::path(options.inputs.front()).filename().string();
  item.output = to_stdout ? fs::path("-") : fs::path(options.output);
  if (options.dry_run) {
    std::printf("to do  %s -> %s\n1 item: 0 done, 1 to do\n", options.inputs.front().c_str(), item.output.c_str());
    return 0;
  }
  std::error_code error;
  RESEDA_REQUIRE(to_stdout || options.overwrite || !fs::exists(item.output, error), Errc::kOutput, item.output.string(),
                 ": exists; --overwrite replaces it");
  RESEDA_REQUIRE(!to_stdout || ::isatty(STDOUT_FILENO) == 0, Errc::kUsage,
                 "standard output is a terminal; use -o FILE or a pipe");
  std::optional<UnnamedFile> spooled, result;
  item.input = options.inputs.front();
  if (from_stdin) {
    spool_standard_input(spooled.emplace());
    item.input = spooled->path();
  }
  std::optional<io::AtomicFile> file;
  item.staged = to_stdout ? result.emplace().path() : file.emplace(item.output).staged();
  BatchProgress progress(
      options.progress == ProgressStyle::kAuto && to_stdout ? ProgressStyle::kNone : options.progress, 1);
  ItemContext context{item, [&](const Progress& step) {
                        progress.step(step);
                        return !stop_requested();
                      }};
  const std::unique_ptr<ItemJob> job = open(item);
  progress.start(item.id);
  job->compute(context);
  job->save();
  if (to_stdout) copy_to_standard_output(*result);
  if (file) file->commit(options.overwrite ? io::Existing::kReplace : io::Existing::kRefuse);
  progress.finish({item.id, ItemOutcome::Status::kDone, 0});
  if (options.json)
    std::puts(io::JsonObject()
                  .add("id", item.id)
                  .add("output", item.output.string())
                  .add("status", "done")
                  .add("facts", job->facts())
                  .line()
                  .c_str());
  return 0;
}

/// Where outputs go: the named file for one named input, else a folder.
io::OutputNaming naming_of(const BatchOptions& options, const io::Discovery& found) {
  RESEDA_REQUIRE(!options.output.empty(), Errc::kUsage,
                 "-o is missing: give the output folder, or for one input file the output file");
  RESEDA_REQUIRE(options.suffix.find('/') == std::string::npos, Errc::kUsage, "--suffix must not hold a '/', got '",
                 options.suffix, "'");
  io::OutputNaming naming{{}, {}, options.suffix, options.output_extension};
  std::error_code error;
  const bool folder = options.output.back() == '/' || fs::is_directory(options.output, error) || !found.one_file;
  (folder ? naming.folder : naming.file) = options.output;
  RESEDA_REQUIRE(!folder || !fs::exists(options.output, error) || fs::is_directory(options.output, error),
                 Errc::kOutput, options.output, ": is a file; several outputs need a folder");
  return naming;
}

int print_plan(const BatchOptions& options, const io::Plan& plan) {
  std::size_t done = 0;
  for (const io::PlannedItem& item : plan.items) {
    const bool is_done = item.action == io::Action::kDone;
    const char* what = is_done ? "done" : item.action == io::Action::kRedo ? "redo" : "to do";
    done += is_done ? 1 : 0;
    if (options.json)
      std::puts(io::JsonObject()
                    .add("id", item.id)
                    .add("input", item.input.string())
                    .add("output", item.output.string())
                    .add("status", "planned")
                    .add("plan", what)
                    .line()
                    .c_str());
    else
      std::printf("%-6s %s -> %s\n", what, item.input.c_str(), item.output.c_str());
  }
  const std::string part =
      plan.whole == plan.items.size() ? "" : " (this shard; " + std::to_string(plan.whole) + " in all)";
  if (!options.json)
    std::printf("%zu item%s%s: %zu done, %zu to do\n", plan.items.size(), plan.items.size() == 1 ? "" : "s",
                part.c_str(), done, plan.items.size() - done);
  return 0;
}

}  // namespace

void ItemContext::report(std::int64_t done, std::int64_t total, const std::string& note) const {
  if (progress && !progress({done, total, note}))
    throw Error(Errc::kInterrupted, "stopped before the item was finished");
}

int run_batch(const BatchOptions& options, const OpenItem& open) {
  RESEDA_REQUIRE(!options.inputs.empty(), Errc::kUsage, "an input is missing; see --help");
  if (names_stream(options)) return run_stream(options, open);
  for (const std::string& input : options.inputs)
    RESEDA_REQUIRE(input != "-", Errc::kUsage, "standard input (-) must be the only input");
  io::PlanOptions plan_options;
  plan_options.shard = io::parse_shard(options.shard);
  plan_options.overwrite = options.overwrite;
  plan_options.force = options.force;
  plan_options.key = {io::sha256(options.config.to_json()), options.model_sha256};
  io::DiscoveryOptions search{options.recursive, options.extensions, {}};
  if (!options.output.empty()) search.leave_out.emplace_back(options.output);
  io::Discovery found = options.found ? *options.found : io::discover_inputs(options.inputs, search);
  plan_options.naming = naming_of(options, found);

  std::optional<io::Ledger> ledger;  // read after the folders were listed: a file that another shard wrote is known
  if (plan_options.naming.file.empty()) ledger.emplace(plan_options.naming.folder);
  const io::Plan plan = io::make_plan(std::move(found.files), plan_options, ledger ? &*ledger : nullptr);
  if (options.dry_run) return print_plan(options, plan);
  if (ledger) {
    ledger->open_for_writing();
    ledger->write_run(
        io::JsonObject()
            .add("program", program_name())
            .add("version", version())
            .add("shard", std::to_string(plan_options.shard.index) + "/" + std::to_string(plan_options.shard.count))
            .add("items", plan.items.size())
            .add("config_sha256", plan_options.key.config_sha256)
            .add("model_sha256", options.model_sha256)
            .add("config", options.config));
  }
  BatchRun run(options, open, plan, plan_options.key, ledger ? &*ledger : nullptr);
  return run.run();
}

}  // namespace reseda::app
