#include "pipelines/common/batch_runner.hpp"

namespace reseda::app {
namespace {

ProgressStyle parse_style(const std::string& text) {
  if (text == "bar") return ProgressStyle::kBar;
  if (text == "plain") return ProgressStyle::kPlain;
  if (text == "json") return ProgressStyle::kJson;
  if (text == "none") return ProgressStyle::kNone;
  return ProgressStyle::kAuto;
}

}  // namespace

FlagTable batch_flags() {
  const std::string group = "Batch", reports = "Reports";
  const auto toggle = [](const char* name, char letter, const char* help, const std::string& in) {
    return Flag{.name = name, .letter = letter, .type = FlagType::kSwitch, .help = help, .group = in};
  };
  FlagTable table;
  table.add({.name = "INPUT",
             .help =
                 "files, folders, patterns such as 'in/**/a*', @list.txt with one of these per line, or - for standard "
                 "input (recordings and frames)",
             .hint = ValueHint::kFile,

             .repeatable = true,
             .positional = true});
  table.add({.name = "output",
             .letter = 'o',
             .word = "PATH",
             .help = "output folder (the inputs' folders are mirrored in it); for one input file also the output file, "
                     "- is standard output",
             .group = group,
             .hint = ValueHint::kFile});
  table.add(toggle("recursive", 'r', "also search the folders in a folder", group));
  table.add({.name = "suffix", .word = "TEXT", .help = "put before the extension of every output", .group = group});
  table.add(toggle("overwrite", 0, "replace outputs that this program did not write", group));
  table.add(toggle("force", 0, "do again what is done", group));
  table.add({.name = "shard",
             .word = "I/N",
             .help = "do only part I of N; auto takes both from a Slurm array job",
             .group = group});
  table.add(toggle("fail-fast", 0, "stop at the first item that fails", group));
  table.add(toggle("dry-run", 'n', "print what would be done, write nothing", group));
  table.add(toggle("json", 0, "print one JSON object per item on standard output", reports));
  table.add({.name = "progress",
             .value = "auto",
             .help = "how to show progress on standard error",
             .group = reports,
             .choices = {"auto", "bar", "plain", "json", "none"}});
  return table;
}

BatchOptions batch_options(const Flags& flags) {
  BatchOptions options;
  options.inputs = flags.list("INPUT");
  options.output = flags.text("output");
  options.recursive = flags.on("recursive");
  options.overwrite = flags.on("overwrite");
  options.force = flags.on("force");
  options.fail_fast = flags.on("fail-fast");
  options.json = flags.on("json");
  options.dry_run = flags.on("dry-run");
  options.suffix = flags.text("suffix");
  options.shard = flags.text("shard");
  options.progress = parse_style(flags.text("progress"));
  return options;
}

}  // namespace reseda::app
