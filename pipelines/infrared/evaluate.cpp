#include "pipelines/infrared/evaluate.hpp"

#include <c10/core/InferenceMode.h>

#include <cstdio>
#include <exception>
#include <filesystem>

#include "io/record/json_lines.hpp"
#include "modules/core/log.hpp"
#include "pipelines/common/failure.hpp"
#include "pipelines/common/report_files.hpp"
#include "pipelines/common/report_flags.hpp"
#include "pipelines/common/signals.hpp"
#include "pipelines/common/terminal.hpp"
#include "pipelines/infrared/evaluation/evaluation_page.hpp"

namespace reseda::infrared {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kOutputs = {"scores.csv", "scores.json", "report.html"};

std::vector<FramePair> find_pairs(const app::Flags& flags) {
  std::vector<std::string> extra;
  std::vector<FramePair> pairs = match_frames({.reference = flags.text("reference"),
                                               .restored = flags.text("restored"),
                                               .input = flags.text("input"),
                                               .uncertainty = flags.text("uncertainty")},
                                              extra);
  if (!extra.empty())
    log::warning("--restored: ", extra.size(), extra.size() == 1 ? " frame has" : " frames have",
                 " no reference, e.g. ", extra.front());
  return pairs;
}

int dry_run(const std::vector<FramePair>& pairs, const app::Flags& flags) {
  std::vector<Errc> failures;
  for (const FramePair& pair : pairs) {
    if (!pair.problem.empty()) {
      failures.push_back(Errc::kInput);
      log::error(errc_name(Errc::kInput), ": ", pair.name, ": ", pair.problem);
    } else if (flags.on("json")) {
      std::printf("%s\n", io::JsonObject()
                              .add("frame", pair.name)
                              .add("reference", pair.reference.string())
                              .add("restored", pair.restored.string())
                              .add("input", pair.input.string())
                              .add("uncertainty", pair.uncertainty.string())
                              .line()
                              .c_str());
    } else {
      const std::string input = pair.input.empty() ? "" : ", input " + pair.input.string(),
                        map = pair.uncertainty.empty() ? "" : ", uncertainty " + pair.uncertainty.string();
      std::printf("%s: %s against %s%s%s\n", pair.name.c_str(), pair.restored.c_str(), pair.reference.c_str(),
                  input.c_str(), map.c_str());
    }
  }
  return app::items_exit_code(failures, pairs.size());
}

std::vector<FrameResult> score_pairs(const std::vector<FramePair>& pairs) {
  const c10::InferenceMode inference;
  std::vector<FrameResult> results;
  for (const FramePair& pair : pairs) {
    FrameResult result{.pair = pair, .scores = {}};
    app::throw_if_stopped();
    if (app::stderr_is_terminal())
      app::show_status(std::to_string(results.size()) + " of " + std::to_string(pairs.size()) + " frames");
    try {
      if (pair.problem.empty()) result.scores = score_frame(read_triple(pair));
    } catch (...) {
      const app::Failure failure = app::describe_exception(std::current_exception());
      result.code = failure.code;
      result.pair.problem = failure.message.empty() ? "unknown failure" : failure.message;
    }
    results.push_back(std::move(result));
  }
  app::clear_status();
  return results;
}

std::vector<FrameRow> draw(const Evaluation& evaluation, std::size_t count) {
  const c10::InferenceMode inference;
  const std::vector<const FrameResult*> frames = good_frames(evaluation);
  const std::vector<std::size_t> shown = shown_frames(evaluation, count);
  std::vector<FrameRow> rows;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    app::throw_if_stopped();
    const char* rank = i == 0 ? "worst" : i + 1 == shown.size() ? "best" : 2 * i < shown.size() ? "low" : "high";
    rows.push_back(draw_frame(*frames[shown[i]], frames.size() == 1 ? "the only one" : rank));
  }
  return rows;
}

std::vector<std::pair<std::string, std::string>> facts_of(const app::Flags& flags, std::size_t frames) {
  std::vector<std::pair<std::string, std::string>> facts = {{"reference", flags.text("reference")},
                                                            {"restored", flags.text("restored")}};
  for (const char* name : {"input", "uncertainty"})
    if (flags.given(name)) facts.emplace_back(name, flags.text(name));
  facts.emplace_back("compared", std::to_string(frames) + (frames == 1 ? " frame" : " frames"));
  facts.emplace_back("interval", app::interval_fact(flags));
  facts.emplace_back("made by", std::string("reseda ") + app::version() + " infrared evaluate");
  return facts;
}

int evaluate(const app::Flags& flags) {
  const std::vector<FramePair> pairs = find_pairs(flags);
  if (flags.on("dry-run")) return dry_run(pairs, flags);
  const fs::path folder = flags.text("output");
  if (!folder.empty()) app::prepare_report(folder, kOutputs, flags.on("overwrite"));

  Evaluation evaluation;
  evaluation.has_input = flags.given("input");
  evaluation.has_uncertainty = flags.given("uncertainty");
  evaluation.frames = score_pairs(pairs);
  std::vector<Errc> failures;
  for (const FrameResult& frame : evaluation.frames) {
    if (frame.pair.problem.empty()) continue;
    failures.push_back(frame.code);
    log::error(errc_name(frame.code), ": ", frame.pair.name, ": ", frame.pair.problem);
  }
  const std::size_t compared = pairs.size() - failures.size();
  evaluation.facts = facts_of(flags, compared);
  if (compared > 0) evaluation.summary = summarise(evaluation, app::bootstrap_of(flags));
  const std::string json = to_json(evaluation);
  if (!folder.empty())
    app::write_report(
        folder,
        {{kOutputs[0], to_csv(evaluation)},
         {kOutputs[1], json},
         {kOutputs[2],
          evaluation_html(evaluation, draw(evaluation, static_cast<std::size_t>(flags.integer("pictures"))))}},
        flags.on("overwrite"));
  const std::string text = flags.on("json") ? json : compared == 0 ? "" : summary_text(evaluation);
  std::fputs(text.c_str(), stdout);
  log::info(compared, " of ", pairs.size(), " frames compared",
            folder.empty() ? "" : "; " + (folder / kOutputs[2]).string());
  return app::items_exit_code(failures, pairs.size());
}

app::FlagTable evaluate_flags() {
  app::FlagTable table;
  const auto folder = [&](const char* name, const char* help, bool required) {
    table.add({.name = name,
               .word = "FOLDER",
               .help = help,
               .group = "Frames",
               .hint = app::ValueHint::kFolder,
               .required = required});
  };
  folder("reference", "the original frames: PNG, TIFF, JPEG, PGM or PPM of 8, 16 or 32 bits", true);
  folder("restored", "restored frames of the same size and depth, of the same name or with x4 after it", true);
  folder("input", "the frames before restoration, of the same or a smaller size: adds what was gained over them",
         false);
  folder("uncertainty",
         "maps that upscale --uncertainty wrote, NAME.uncertainty.tif; may be the folder of the restored frames: adds "
         "their correlation with the error",
         false);
  table.add(app::report_flags("scores.csv, scores.json and report.html"));
  table.add({.name = "dry-run",
             .letter = 'n',
             .type = app::FlagType::kSwitch,
             .help = "print what would be compared, write nothing",
             .group = "Report"});
  table.add({.name = "pictures",
             .type = app::FlagType::kInteger,
             .value = "6",
             .help = "frames shown: half of the lowest PSNR, half of the highest",
             .group = "Report",
             .least = 0,
             .most = 1000});
  table.add(app::interval_flags("frames"));
  return table;
}

}  // namespace

app::Verb evaluate_verb() {
  app::Verb verb;
  verb.name = "evaluate";
  verb.about = "Scores restored frames against their originals and writes tables and a page with pictures.";
  verb.example = "reseda infrared evaluate --reference HR --restored out --input LR -o report";
  verb.flags = evaluate_flags();
  verb.run = evaluate;
  return verb;
}

}  // namespace reseda::infrared
