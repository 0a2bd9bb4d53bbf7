#include "pipelines/common/program.hpp"

#include <torch/headeronly/version.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "modules/core/config.hpp"
#include "modules/core/log.hpp"
#include "pipelines/common/failure.hpp"
#include "pipelines/common/flag_help.hpp"
#include "pipelines/common/logging.hpp"
#include "pipelines/common/terminal.hpp"

namespace reseda::app {
namespace {

std::string& running_name() {
  static std::string name = "reseda";
  return name;
}

FlagTable common_flags() {
  const std::string group = "Common";
  FlagTable table;
  table
      .add({.name = "quiet",
            .letter = 'q',
            .type = FlagType::kSwitch,
            .help = "say only what went wrong",
            .group = group})
      .add({.name = "verbose",
            .letter = 'v',
            .type = FlagType::kSwitch,
            .help = "say more (same as --log-level debug)",
            .group = group})
      .add({.name = "log-level",
            .word = "LEVEL",
            .help = "what to say on standard error",
            .group = group,
            .choices = {"debug", "info", "warning", "error", "off"}})
      .add({.name = "help", .letter = 'h', .type = FlagType::kSwitch, .help = "show this help", .group = group})
      .add({.name = "help-json", .type = FlagType::kSwitch, .help = "describe the flags as JSON", .group = group})
      .add({.name = "completion",
            .word = "SHELL",
            .help = "print a completion script",
            .group = group,
            .choices = {"bash", "zsh", "fish"}})
      .add({.name = "version", .type = FlagType::kSwitch, .help = "show the version", .group = group});
  return table;
}

FlagTable table_of(const Verb& verb) {
  FlagTable table = verb.flags;
  table.add(common_flags());
  return table;
}

HelpPage page_of(const ProgramInfo& program, const Verb& verb) {
  return {verb.name.empty() ? program.name : program.name + " " + verb.name,
          verb.about.empty() ? program.about : verb.about, verb.example};
}

bool has_verbs(const ProgramInfo& program) { return program.verbs.size() != 1 || !program.verbs.front().name.empty(); }

void print(const std::string& text) { std::fputs(text.c_str(), stdout); }

void print_program_help(const ProgramInfo& program) {
  std::string text = "Usage: " + program.name + " VERB [options]\n\n" + program.about + "\n\nVerbs:\n";
  for (const Verb& verb : program.verbs)
    text += "  " + verb.name + std::string(verb.name.size() < 14 ? 14 - verb.name.size() : 1, ' ') + verb.about + "\n";
  print(text + "\n" + program.name + " VERB --help shows a verb's options.\n");
}

void print_program_json(const ProgramInfo& program) {
  std::string text = "{\"program\": " + json_quoted(program.name) + ", \"version\": " + json_quoted(version()) +
                     ", \"about\": " + json_quoted(program.about) + ", \"verbs\": [\n";
  for (std::size_t i = 0; i < program.verbs.size(); ++i)
    text += (i ? "," : "") + help_json(page_of(program, program.verbs[i]), table_of(program.verbs[i]));
  print(text + "]}\n");
}

/// Answers that need no verb: help, version, JSON, completion. `verb` is null before one was named.
bool answered(const ProgramInfo& program, const Verb* verb, const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    if (words[i] == "--help" || words[i] == "-h") {
      if (verb == nullptr)
        print_program_help(program);
      else
        print(help_text(page_of(program, *verb), table_of(*verb)));
    } else if (words[i] == "--version") {
      print(program.name + " " + version() + " (LibTorch " + TORCH_VERSION + ")\n");
    } else if (words[i] == "--help-json") {
      if (verb == nullptr)
        print_program_json(program);
      else
        print(help_json(page_of(program, *verb), table_of(*verb)));
    } else if (words[i].rfind("--completion", 0) == 0 && (words[i].size() == 12 || words[i][12] == '=')) {
      const std::string shell = words[i].size() > 12 ? words[i].substr(13) : i + 1 < words.size() ? words[i + 1] : "";
      std::vector<CompletionVerb> verbs;
      for (const Verb& each : program.verbs) verbs.push_back({each.name, each.about, table_of(each)});
      print(completion_script(shell, program.name, verbs));
    } else {
      continue;
    }
    return true;
  }
  return false;
}

const Verb& find_verb(const ProgramInfo& program, const std::string& name) {
  std::vector<std::string> names;
  std::string all;
  for (const Verb& verb : program.verbs) {
    if (verb.name == name) return verb;
    names.push_back(verb.name);
    all += (all.empty() ? "" : ", ") + verb.name;
  }
  const std::string near = nearest_name(name, names);
  reseda::detail::raise(Errc::kUsage, "unknown verb '", name, "'",
                        near.empty() ? std::string() : "; did you mean '" + near + "'?", " (known: ", all, ")");
}

void start_logging(const ProgramInfo& program, const Flags& flags) {
  log::Level level = log::Level::kInfo;
  if (flags.on("quiet")) level = log::Level::kError;
  if (flags.on("verbose")) level = log::Level::kDebug;
  if (flags.given("log-level")) level = parse_log_level(flags.text("log-level"));
  install_logging(program.name, level);
}

int dispatch(const ProgramInfo& program, std::vector<std::string> words) {
  const Verb* verb = has_verbs(program) ? nullptr : &program.verbs.front();
  if (verb == nullptr) {
    RESEDA_REQUIRE(!words.empty(), Errc::kUsage, "a verb is missing; see ", program.name, " --help");
    if (words.front() == "help" && words.size() > 1) {
      words.erase(words.begin());
      words.resize(1);
      words.emplace_back("--help");
    } else if (words.front() == "help") {
      words.front() = "--help";
    }
    if (words.front().rfind('-', 0) == 0) {
      if (answered(program, nullptr, words)) return 0;
      reseda::detail::raise(Errc::kUsage, "a verb must come first, got '", words.front(), "'; see ", program.name,
                            " --help");
    }
    verb = &find_verb(program, words.front());
    words.erase(words.begin());
  }
  if (answered(program, verb, words)) return 0;
  const Flags flags = parse_flags(table_of(*verb), words);
  start_logging(program, flags);
  return verb->run(flags);
}

/// Output that did not reach its reader is a failure, unless something else failed before.
void flush_output() {
  std::cout.flush();
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout.good();
  RESEDA_REQUIRE(written, Errc::kOutput, "standard output: cannot write: ", std::strerror(errno));
}

}  // namespace

int run_program(int argc, char** argv, const ProgramInfo& program) {
  running_name() = program.name;
  install_signals();
  install_logging(program.name, log::Level::kInfo);
  int code = 0;
  try {
    code = dispatch(program, std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
    flush_output();
  } catch (...) {
    const Failure failure = describe_exception(std::current_exception());
    clear_status();
    print_line(program.name + ": " + errc_name(failure.code) + ": " + failure.message);
    code = static_cast<int>(failure.code);
  }
  return code;
}

const char* version() { return RESEDA_VERSION; }

const std::string& program_name() { return running_name(); }

FlagTable compute_flags() {
  const std::string group = "Computing";
  FlagTable table;
  table
      .add({.name = "device",
            .value = "auto",
            .word = "DEVICE",
            .help = "auto, cpu, cuda or cuda:N; auto takes a GPU where one works, a device asked for by name is never "
                    "replaced",
            .group = group})
      .add({.name = "precision",
            .value = "f32",
            .help = "f32 is the reference; tf32 (GPU) and bf16 are faster",
            .group = group,
            .choices = {"f32", "tf32", "bf16"}})
      .add({.name = "threads",
            .type = FlagType::kInteger,
            .help = "threads of the computation; by default the physical cores or OMP_NUM_THREADS",
            .group = group,
            .least = 1,
            .most = 1024})
      .add({.name = "seed",
            .type = FlagType::kInteger,
            .value = "0",
            .help = "seed of all noise; the same seed gives the same result",
            .group = group,
            .least = 0});
  return table;
}

Compute open_compute(const Flags& flags) {
  if (flags.given("threads")) set_threads(flags.integer("threads"));
  Compute compute;
  const std::string& wanted = flags.text("device");
  compute.precision = parse_precision(flags.text("precision"));
  compute.seed = static_cast<std::uint64_t>(flags.integer("seed"));
  compute.device = open_device(wanted);
  if (wanted == "auto")
    log::debug("device: ", compute.device.str(), compute.device.is_cpu() ? " (" + cuda_unavailable_reason() + ")" : "");
  apply_precision(compute.precision);
  return compute;
}

}  // namespace reseda::app
