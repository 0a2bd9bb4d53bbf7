#include "pipelines/speech/evaluate.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <mutex>
#include <thread>

#include "modules/core/log.hpp"
#include "modules/metrics/summary.hpp"
#include "pipelines/common/failure.hpp"
#include "pipelines/common/report_files.hpp"
#include "pipelines/common/report_flags.hpp"
#include "pipelines/common/terminal.hpp"
#include "pipelines/speech/evaluation/evaluation_record.hpp"
#include "pipelines/speech/evaluation/svg_text.hpp"
#include "pipelines/speech/spectrogram_picture.hpp"

namespace reseda::speech {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kOutputs = {"scores.csv", "scores.json", "report.html"};

/// Scores items on several threads; each item's result does not depend on their number.
std::vector<ItemResult> score_items(const std::vector<EvaluationItem>& items, LengthRule rule, std::size_t jobs) {
  std::vector<ItemResult> results(items.size());
  std::atomic<std::size_t> next = 0, done = 0;
  const auto work = [&] {
    at::set_num_threads(1);
    const c10::InferenceMode inference;
    for (std::size_t i = next++; i < items.size() && !app::stop_requested(); i = next++) {
      results[i].item = items[i];
      try {
        results[i].scores = score_item(items[i], rule);
      } catch (...) {
        const app::Failure failure = app::describe_exception(std::current_exception());
        results[i].code = failure.code;
        results[i].problem = failure.message.empty() ? "unknown failure" : failure.message;
      }
      ++done;
      if (app::stderr_is_terminal())
        app::show_status(std::to_string(done) + " of " + std::to_string(items.size()) + " files");
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t t = 1; t < std::min(jobs, items.size()); ++t) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  app::clear_status();
  app::throw_if_stopped();
  return results;
}

bool is_named(const std::string& file, const std::string& name) {
  return file == name || without_extension(file) == without_extension(name);
}

/// Rows to draw: the named ones, then half from each end of the order.
std::vector<std::size_t> chosen_rows(const EvaluationPage& page, const std::vector<std::string>& named,
                                     std::size_t count) {
  std::vector<std::size_t> chosen;
  for (const std::string& name : named)
    for (std::size_t row = 0; row < page.table->rows.size(); ++row)
      if (is_named(page.table->rows[row].file, name)) chosen.push_back(row);
  const std::size_t total = page.order.size(), worst = std::min((count + 1) / 2, total),
                    best = std::min(count / 2, total - worst);
  chosen.insert(chosen.end(), page.order.begin(), page.order.begin() + static_cast<std::ptrdiff_t>(worst));
  chosen.insert(chosen.end(), page.order.end() - static_cast<std::ptrdiff_t>(best), page.order.end());
  std::vector<std::size_t> unique;
  for (const std::size_t row : chosen)
    if (std::find(unique.begin(), unique.end(), row) == unique.end()) unique.push_back(row);
  return unique;
}

std::string caption_of(const ScoreTable& table, std::size_t row, double seconds, const PictureConfig& config) {
  std::string caption;
  for (const ScoreName& score : computed_scores()) {
    const auto value = [&](const std::string& column) {
      const auto index = table.find_column(column);
      return index ? fixed_text(table.rows[row].values[*index], score.decimals) : std::string();
    };
    const std::string before = value("noisy_" + score.key);
    caption += (caption.empty() ? "" : ", ") + score.label + " " + (before.empty() ? "" : before + " to ") +
               value(score.key) + (score.unit.empty() ? "" : " " + score.unit);
  }
  if (seconds > config.seconds)
    caption += "; the first " + fixed_text(config.seconds, 0) + " of " + fixed_text(seconds, 1) + " s are shown";
  return caption;
}

PictureRow draw(const EvaluationItem& item, LengthRule rule, const ScoreTable& table, std::size_t row,
                const PictureConfig& config) {
  const EvaluationWaves waves = read_waves(item, rule);
  std::vector<std::pair<std::string, at::Tensor>> named;
  if (waves.noisy) named.emplace_back("noisy", waves.noisy->mean(0));
  named.emplace_back("enhanced", waves.enhanced.mean(0));
  named.emplace_back("clean", waves.clean.mean(0));
  double full = 0;
  for (auto& [name, picture] : named) {
    picture = power_picture(picture, waves.rate_hz, config);
    full = std::max(full, picture.max().item<double>());
  }
  const double seconds = static_cast<double>(waves.clean.size(1)) / static_cast<double>(waves.rate_hz);
  PictureRow out{.file = item.name + (waves.noisy ? ", noisy to enhanced" : ""),
                 .caption = caption_of(table, row, seconds, config),
                 .pictures = {}};
  for (const auto& [name, power] : named)
    out.pictures.push_back(spectrogram_svg(power, full, name, waves.rate_hz, seconds, config));
  return out;
}

void draw_pictures(EvaluationPage& page, const std::vector<ItemResult>& results, LengthRule rule,
                   const app::Flags& flags) {
  PictureConfig config;
  config.seconds = flags.number("picture-seconds");
  std::vector<const EvaluationItem*> items;
  for (const ItemResult& result : results)
    if (result.problem.empty()) items.push_back(&result.item);
  for (const std::size_t row :
       chosen_rows(page, flags.list("picture"), static_cast<std::size_t>(flags.integer("pictures")))) {
    app::throw_if_stopped();
    page.pictures.push_back(draw(*items[row], rule, *page.table, row, config));
  }
  page.colour_bar = colour_bar_svg(config);
}

std::string sort_column(const app::Flags& flags) {
  return flags.given("sort") ? flags.text("sort") : flags.given("noisy") ? "d_si_sdr" : "si_sdr";
}

/// Scores from other programs; refuses, before the work, a column that is there twice or is not there to sort by.
std::vector<ScoreTable> outside_scores(const app::Flags& flags) {
  std::vector<ScoreTable> tables;
  ScoreTable columns = table_of({}, flags.given("noisy"));
  for (const std::string& spec : flags.list("scores")) {
    tables.push_back(read_scores(spec));
    merge_scores(columns, tables.back());
  }
  worst_first(columns, sort_column(flags));
  return tables;
}

/// @throws Error{kUsage} for a --picture that is none of the files
std::vector<EvaluationItem> find_items(const app::Flags& flags) {
  std::vector<EvaluationItem> items = match_files({.clean = flags.text("clean"),
                                                   .enhanced = flags.text("enhanced"),
                                                   .noisy = flags.text("noisy"),
                                                   .subset = flags.on("subset")});
  for (const std::string& name : flags.list("picture"))
    RESEDA_REQUIRE(std::any_of(items.begin(), items.end(), [&](const auto& item) { return is_named(item.name, name); }),
                   Errc::kUsage, "--picture: no file '", name, "' among those compared");
  return items;
}

std::vector<std::pair<std::string, std::string>> facts_of(const app::Flags& flags, const ScoreTable& table) {
  double seconds = 0;
  for (const double value : table.column(0)) seconds += value;
  std::vector<std::pair<std::string, std::string>> facts = {{"clean", flags.text("clean")},
                                                            {"enhanced", flags.text("enhanced")}};
  if (flags.given("noisy")) facts.emplace_back("noisy", flags.text("noisy"));
  for (const std::string& spec : flags.list("scores")) facts.emplace_back("scores", spec);
  facts.emplace_back("compared",
                     std::to_string(table.rows.size()) + " files, " + fixed_text(seconds / 60, 1) + " minutes");
  facts.emplace_back("interval", app::interval_fact(flags));
  facts.emplace_back("made by", std::string("reseda ") + app::version() + " speech evaluate");
  return facts;
}

int evaluate(const app::Flags& flags) {
  const bool noisy = flags.given("noisy");
  const LengthRule rule = flags.text("lengths") == "exact" ? LengthRule::kExact : LengthRule::kShortest;
  const std::vector<ScoreTable> outside = outside_scores(flags);
  const std::vector<EvaluationItem> items = find_items(flags);
  const fs::path folder = flags.text("output");
  if (!folder.empty()) app::prepare_report(folder, kOutputs, flags.on("overwrite"));
  const auto jobs = static_cast<std::size_t>(
      flags.given("jobs") ? flags.integer("jobs") : std::max<std::int64_t>(1, std::thread::hardware_concurrency()));
  const std::vector<ItemResult> results = score_items(items, rule, jobs);

  ScoreTable table = table_of(results, noisy);
  for (std::size_t i = 0; i < outside.size(); ++i) {
    const std::vector<std::string> unknown = merge_scores(table, outside[i]);
    if (!unknown.empty())
      log::warning("--scores ", flags.list("scores")[i], ": ", unknown.size(),
                   unknown.size() == 1 ? " file is" : " files are", " none of those compared, e.g. '", unknown.front(),
                   "'");
  }
  EvaluationPage page;
  page.table = &table;
  page.facts = facts_of(flags, table);
  page.ordered_by = sort_column(flags);
  page.order = worst_first(table, page.ordered_by);
  page.notes = notes_on(table);
  for (std::size_t c = 0; c < table.columns.size(); ++c)
    page.summary.push_back(metrics::bootstrap_mean(table.column(c), app::bootstrap_of(flags)));
  std::vector<Errc> codes;
  for (const ItemResult& result : results) {
    if (result.problem.empty()) continue;
    codes.push_back(result.code);
    page.failures.emplace_back(result.item.name, result.problem);
    log::error(errc_name(result.code), ": ", result.problem);
  }
  if (!page.failures.empty())
    page.notes.insert(page.notes.begin(), std::to_string(page.failures.size()) + " of " +
                                              std::to_string(results.size()) +
                                              " files could not be compared; they are listed at the end.");
  for (const std::string& note : page.notes) log::info("note: ", note);
  if (!folder.empty()) {
    draw_pictures(page, results, rule, flags);
    app::write_report(
        folder, {{kOutputs[0], to_csv(table)}, {kOutputs[1], to_json(page)}, {kOutputs[2], evaluation_html(page)}},
        flags.on("overwrite"));
  }
  const std::string text = flags.on("json")     ? to_json(page)
                           : table.rows.empty() ? ""
                                                : summary_text(table, page.summary);
  std::fputs(text.c_str(), stdout);
  log::info(table.rows.size(), " of ", results.size(), " files compared",
            folder.empty() ? "" : "; " + (folder / kOutputs[2]).string());
  return app::items_exit_code(codes, results.size());
}

app::FlagTable evaluate_flags() {
  using app::FlagType;
  app::FlagTable table;
  const std::string files = "Files", report = "Report";
  table.add({.name = "clean",
             .word = "FOLDER",
             .help = "clean recordings (or one file)",
             .group = files,
             .hint = app::ValueHint::kFolder,
             .required = true});
  table.add({.name = "enhanced",
             .word = "FOLDER",
             .help = "enhanced recordings; matched by path or name, whatever the extension",
             .group = files,
             .hint = app::ValueHint::kFolder,
             .required = true});
  table.add({.name = "noisy",
             .word = "FOLDER",
             .help = "the recordings before enhancement: adds what was gained over them",
             .group = files,
             .hint = app::ValueHint::kFolder});
  table.add({.name = "subset",
             .type = FlagType::kSwitch,
             .help = "pass over clean files that have no enhanced one",
             .group = files});
  table.add({.name = "lengths",
             .value = "exact",
             .help = "exact refuses files of another length, shortest compares what all have",
             .group = files,
             .choices = {"exact", "shortest"}});
  table.add({.name = "scores",
             .word = "FILE[:COLUMNS]",
             .help = "CSV of scores made elsewhere: a column 'file' and columns of numbers",
             .group = files,
             .hint = app::ValueHint::kFile,
             .repeatable = true});
  table.add(app::report_flags("scores.csv, scores.json and report.html"));
  table.add({.name = "sort",
             .word = "COLUMN",
             .help = "column that decides worst and best; by default d_si_sdr or si_sdr",
             .group = report});
  table.add({.name = "pictures",
             .type = FlagType::kInteger,
             .value = "6",
             .help = "files shown as spectrograms: half the worst, half the best",
             .group = report,
             .least = 0,
             .most = 1000});
  table.add({.name = "picture", .word = "FILE", .help = "a further file to show", .group = report, .repeatable = true});
  table.add({.name = "picture-seconds",
             .type = FlagType::kNumber,
             .value = "10",
             .help = "longest stretch in a picture",
             .group = report,
             .least = 0.1,
             .most = 600});
  table.add(app::interval_flags("files"));
  table.add({.name = "jobs",
             .letter = 'j',
             .type = FlagType::kInteger,
             .help = "files scored at once; by default one per processor",
             .least = 1,
             .most = 1024});
  return table;
}

}  // namespace

app::Verb evaluate_verb() {
  app::Verb verb;
  verb.name = "evaluate";
  verb.about = "Scores enhanced recordings against clean ones and writes a table and a page with spectrograms.";
  verb.example = "reseda speech evaluate --clean clean --enhanced cleaned --noisy noisy -o report";
  verb.flags = evaluate_flags();
  verb.run = evaluate;
  return verb;
}

}  // namespace reseda::speech
