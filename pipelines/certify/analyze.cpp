#include "pipelines/certify/analyze.hpp"

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <set>

#include "io/record/svg_plot.hpp"
#include "modules/core/log.hpp"
#include "pipelines/certify/analysis/analysis_page.hpp"
#include "pipelines/certify/analysis/analysis_table.hpp"
#include "pipelines/common/report_files.hpp"
#include "pipelines/common/report_flags.hpp"

namespace reseda::certify {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kOutputs = {"curves.csv", "analysis.json", "curves.svg", "report.html"};

std::vector<double> radii_of(const std::string& text) {
  std::vector<double> radii;
  for (const char *at = text.data(), *const end = at + text.size();;) {
    double value = 0;
    const auto [stop, error] = std::from_chars(at, end, value);
    RESEDA_REQUIRE(error == std::errc() && (stop == end || *stop == ','), Errc::kUsage,
                   "--radii must be numbers like 0,0.25,0.5, got '", text, "'");
    radii.push_back(value);
    if (stop == end) return radii;
    at = stop + 1;
  }
}

std::vector<CertifiedRun> read_runs(const app::Flags& flags) {
  const std::vector<std::string>& files = flags.list("runs");
  const std::vector<std::string>& names = flags.list("name");
  RESEDA_REQUIRE(names.empty() || names.size() == files.size(), Errc::kUsage, "--name was given ", names.size(),
                 " times for ", files.size(), files.size() == 1 ? " run" : " runs");
  std::vector<CertifiedRun> runs;
  std::set<std::string> taken;
  for (std::size_t i = 0; i < files.size(); ++i) {
    runs.push_back(read_run(files[i], names.empty() ? "" : names[i]));
    RESEDA_REQUIRE(taken.insert(runs.back().name).second, Errc::kUsage, "two runs have the name ", runs.back().name,
                   "; give a --name for each");
    RESEDA_REQUIRE(!flags.on("tsv") || runs.back().name.find('/') == std::string::npos, Errc::kUsage,
                   "--tsv takes the run's name as that of a file: ", runs.back().name, " must not hold a slash");
    if (runs.back().other_correct)
      log::warning(files[i], ": its column `correct` is not label == predict and is not used");
  }
  return runs;
}

/// What the folder gets, name and content.
std::vector<std::pair<std::string, std::string>> report_of(const Analysis& analysis, const app::Flags& flags) {
  std::vector<std::pair<std::string, std::string>> facts;
  for (std::size_t i = 0; i < analysis.runs.size(); ++i)
    facts.emplace_back(analysis.runs[i].name, flags.list("runs")[i]);
  facts.emplace_back("made by", std::string("reseda ") + app::version() + " certify analyze");
  std::vector<std::pair<std::string, std::string>> files = {{kOutputs[0], curves_csv(analysis)},
                                                            {kOutputs[1], analysis_json(analysis)},
                                                            {kOutputs[2], io::svg_file(curves_plot(analysis))},
                                                            {kOutputs[3], analysis_html(analysis, facts)}};
  if (flags.on("tsv"))
    for (const CertifiedRun& run : analysis.runs) files.emplace_back(run.name + ".tsv", to_log(run));
  return files;
}

int analyze(const app::Flags& flags) {
  AnalysisConfig config;
  config.radii = radii_of(flags.text("radii"));
  config.step = flags.number("step");
  config.alpha = flags.number("alpha");
  config.rho = flags.number("rho");
  config.validate();
  const fs::path folder = flags.text("output");
  if (!folder.empty()) app::prepare_report(folder, kOutputs, flags.on("overwrite"));
  const Analysis analysis = analyse(read_runs(flags), config);
  if (!folder.empty()) app::write_report(folder, report_of(analysis, flags), flags.on("overwrite"));
  const std::string& table = flags.text("table");
  const std::string text = flags.on("json")      ? analysis_json(analysis)
                           : table == "latex"    ? latex_table(config.radii, accuracy_rows(analysis))
                           : table == "markdown" ? markdown_table(config.radii, accuracy_rows(analysis))
                                                 : accuracy_text(analysis);
  std::fputs(text.c_str(), stdout);
  if (!folder.empty()) log::info((folder / kOutputs[3]).string());
  return 0;
}

app::FlagTable analyze_flags() {
  app::FlagTable table;
  const auto number = [&](const char* name, const char* value, const char* help) {
    table.add({.name = name, .type = app::FlagType::kNumber, .value = value, .help = help, .group = "Analysis"});
  };
  table.add({.name = "runs",
             .word = "RUN",
             .help = "Results of certification: run.jsonl with the radii as certified, or a log as run.tsv and "
                     "locuslab/smoothing have it, whose radii have three digits",
             .group = "Runs",
             .hint = app::ValueHint::kFile,
             .required = true,
             .repeatable = true,
             .positional = true});
  table.add({.name = "name",
             .word = "NAME",
             .help = "Name of a run, as often as there are runs; without it that of the file",
             .group = "Runs",
             .repeatable = true});
  table.add({.name = "radii",
             .value = "0,0.25,0.5,0.75,1",
             .word = "R,R,...",
             .help = "radii of the tables",
             .group = "Analysis"});
  number("step", "0.01", "between the radii of the curves");
  number("alpha", "0.001", "probability with which a certificate of a log may be wrong; run.jsonl says its own");
  number("rho", "0.05", "probability with which the bands may not hold, over the choice of images");
  table.add({.name = "table",
             .value = "text",
             .help = "how the table is printed; the others are the official analysis's",
             .group = "Report",
             .choices = {"text", "markdown", "latex"}});
  table.add({.name = "tsv",
             .type = app::FlagType::kSwitch,
             .help = "also write every run as an official log, NAME.tsv",
             .group = "Report"});
  table.add(app::report_flags("curves.csv, analysis.json, curves.svg and report.html"));
  return table;
}

}  // namespace

app::Verb analyze_verb() {
  app::Verb verb;
  verb.name = "analyze";
  verb.about = "Draws certified accuracy against radius, with confidence bands, and compares runs.";
  verb.example = "reseda certify analyze run-0.25.jsonl run-0.5.jsonl -o report";
  verb.flags = analyze_flags();
  verb.run = analyze;
  return verb;
}

}  // namespace reseda::certify
