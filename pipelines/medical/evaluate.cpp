#include "pipelines/medical/evaluate.hpp"

#include <c10/core/InferenceMode.h>

#include <cstdio>
#include <exception>
#include <filesystem>

#include "io/record/json_lines.hpp"
#include "modules/core/config.hpp"
#include "modules/core/log.hpp"
#include "pipelines/common/failure.hpp"
#include "pipelines/common/report_files.hpp"
#include "pipelines/common/report_flags.hpp"
#include "pipelines/common/terminal.hpp"
#include "pipelines/medical/evaluation/evaluation_json.hpp"
#include "pipelines/medical/evaluation/evaluation_page.hpp"

namespace reseda::medical {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kOutputs = {"scores.tsv", "scores.json", "report.html"};

/// The last part of a path, or as many as tell it from the others.
std::string scan_name(const std::vector<std::string>& places, std::size_t which) {
  const auto last_parts = [&](const std::string& place, int count) {
    fs::path rest = fs::path(place).lexically_normal(), name;
    if (!rest.has_filename()) rest = rest.parent_path();
    for (; count > 0 && rest.has_filename(); --count) {
      name = name.empty() ? rest.filename() : rest.filename() / name;
      rest = rest.parent_path();
    }
    return name.string();
  };
  for (int count = 1; count < 5; ++count) {
    const std::string name = last_parts(places[which], count);
    std::size_t same = 0;
    for (const std::string& place : places) same += last_parts(place, count) == name ? 1 : 0;
    if (same == 1) return name;
  }
  return places[which] + " (" + std::to_string(which + 1) + ")";
}

/// Pairs in the order of the flags; names tell them apart.
std::vector<ScanPair> pairs_of(const app::Flags& flags) {
  const std::vector<std::string>&references = flags.list("reference"), &restored = flags.list("restored"),
        &inputs = flags.list("input");
  RESEDA_REQUIRE(references.size() == restored.size(), Errc::kUsage, "--reference is given ", references.size(),
                 " times and --restored ", restored.size(), " times: they are matched in order");
  RESEDA_REQUIRE(inputs.empty() || inputs.size() == restored.size(), Errc::kUsage, "--input is given ", inputs.size(),
                 " times and --restored ", restored.size(), " times: they are matched in order");
  std::vector<ScanPair> pairs;
  for (std::size_t i = 0; i < restored.size(); ++i)
    pairs.push_back({scan_name(restored, i), references[i], restored[i], inputs.empty() ? "" : inputs[i]});
  return pairs;
}

/// "LOW:HIGH".
std::optional<GrayWindow> window_of(const app::Flags& flags) {
  if (!flags.given("window")) return std::nullopt;
  const std::string& text = flags.text("window");
  GrayWindow out;
  int used = 0;
  const bool read = std::sscanf(text.c_str(), "%lf:%lf%n", &out.low, &out.high, &used) == 2;
  RESEDA_REQUIRE(read && static_cast<std::size_t>(used) == text.size() && out.low < out.high, Errc::kUsage,
                 "--window: expected LOW:HIGH with LOW < HIGH, e.g. -1000:400, got '", text, "'");
  return out;
}

int dry_run(const std::vector<ScanPair>& pairs, const app::Flags& flags) {
  for (const ScanPair& pair : pairs) {
    if (flags.on("json"))
      std::printf("%s\n", io::JsonObject()
                              .add("name", pair.name)
                              .add("reference", pair.reference.string())
                              .add("restored", pair.restored.string())
                              .add("input", pair.input.string())
                              .line()
                              .c_str());
    else
      std::printf("%s: %s against %s%s\n", pair.name.c_str(), pair.restored.c_str(), pair.reference.c_str(),
                  pair.input.empty() ? "" : (", input " + pair.input.string()).c_str());
  }
  return 0;
}

std::vector<ScanResult> score_pairs(const std::vector<ScanPair>& pairs, const std::string& kind) {
  const c10::InferenceMode inference;
  std::vector<ScanResult> results;
  for (const ScanPair& pair : pairs) {
    ScanResult result;
    result.pair = pair;
    std::int64_t slices = 0;
    try {
      result.scores = score_scan(pair, kind, [&] {
        app::throw_if_stopped();
        if (app::stderr_is_terminal()) app::show_status(pair.name + ": slice " + std::to_string(slices));
        ++slices;
      });
    } catch (...) {
      app::throw_if_stopped();
      const app::Failure failure = app::describe_exception(std::current_exception());
      result.code = failure.code;
      result.problem = failure.message.empty() ? "unknown failure" : failure.message;
    }
    app::clear_status();
    results.push_back(std::move(result));
  }
  return results;
}

/// Pictures of the first good scans.
std::vector<std::vector<SliceRow>> draw(const Evaluation& evaluation, const app::Flags& flags) {
  const c10::InferenceMode inference;
  const std::optional<GrayWindow> window = window_of(flags);
  std::vector<std::vector<SliceRow>> out(evaluation.scans.size());
  std::int64_t drawn = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!evaluation.scans[i].problem.empty() || drawn >= flags.integer("pictures")) continue;
    app::throw_if_stopped();
    out[i] = draw_slices(evaluation.scans[i], window);
    ++drawn;
  }
  return out;
}

int evaluate(const app::Flags& flags) {
  const std::vector<ScanPair> pairs = pairs_of(flags);
  window_of(flags);
  if (flags.on("dry-run")) return dry_run(pairs, flags);
  const fs::path folder = flags.text("output");
  if (!folder.empty()) app::prepare_report(folder, kOutputs, flags.on("overwrite"));

  Evaluation evaluation;
  evaluation.bootstrap = app::bootstrap_of(flags);
  evaluation.facts = {{"compared", std::to_string(pairs.size()) + (pairs.size() == 1 ? " scan" : " scans")},
                      {"interval", app::interval_fact(flags)},
                      {"made by", std::string("reseda ") + app::version() + " medical evaluate"}};
  evaluation.scans = score_pairs(pairs, flags.text("kind"));
  std::vector<Errc> failures;
  for (const ScanResult& scan : evaluation.scans) {
    for (const std::string& note : scan.scores.notes) log::info("note: ", scan.pair.name, ": ", note);
    if (scan.problem.empty()) continue;
    failures.push_back(scan.code);
    log::error(errc_name(scan.code), ": ", scan.problem);
  }
  const std::vector<KindSummary> summary = summarise(evaluation);
  const std::string json = to_json(evaluation, summary);
  if (!folder.empty())
    app::write_report(folder,
                      {{kOutputs[0], to_tsv(evaluation)},
                       {kOutputs[1], json},
                       {kOutputs[2], evaluation_html(evaluation, summary, draw(evaluation, flags))}},
                      flags.on("overwrite"));
  const std::string text = flags.on("json") ? json : summary.empty() ? "" : summary_text(evaluation, summary);
  std::fputs(text.c_str(), stdout);
  log::info(pairs.size() - failures.size(), " of ", pairs.size(), " scans compared",
            folder.empty() ? "" : "; " + (folder / kOutputs[2]).string());
  return app::items_exit_code(failures, pairs.size());
}

app::FlagTable evaluate_flags() {
  using app::FlagType;
  app::FlagTable table;
  const std::string scans = "Scans", report = "Report";
  const auto place = [&](const char* name, const char* help, bool required) {
    table.add({.name = name,
               .word = "PLACE",
               .help = help,
               .group = scans,
               .hint = app::ValueHint::kFile,
               .required = required,
               .repeatable = true});
  };
  place("reference", "clean volume: a DICOM folder, .nii, .nii.gz, .nrrd, .mha, .npy or .npz; may be repeated", true);
  place("restored", "restored volume of the same size; as often as --reference, in the same order", true);
  place("input", "the volume before restoration: adds what was gained over it", false);
  table.add({.name = "kind",
             .value = "auto",
             .help = "ct scores in HU in the body, other by the range of the volume; auto looks at the modality, or "
                     "for values below -500",
             .group = scans,
             .choices = {"auto", "ct", "other"}});
  table.add(app::report_flags("scores.tsv, scores.json and report.html"));
  table.add({.name = "dry-run",
             .letter = 'n',
             .type = FlagType::kSwitch,
             .help = "print what would be compared, write nothing",
             .group = report});
  table.add({.name = "pictures",
             .type = FlagType::kInteger,
             .value = "8",
             .help = "scans shown with their worst, median and best slice",
             .group = report,
             .least = 0,
             .most = 1000});
  table.add({.name = "window",
             .word = "LOW:HIGH",
             .help = "values that are black and white in pictures; by default -160:240 of CT, else from the reference",
             .group = report});
  table.add(app::interval_flags("slices"));
  return table;
}

}  // namespace

app::Verb evaluate_verb() {
  app::Verb verb;
  verb.name = "evaluate";
  verb.about = "Scores restored volumes against references and writes tables and a page with pictures.";
  verb.example = "reseda medical evaluate --reference clean --restored out --input noisy -o report";
  verb.flags = evaluate_flags();
  verb.run = evaluate;
  return verb;
}

}  // namespace reseda::medical
