#include "pipelines/medical/evaluation/evaluation_page.hpp"

#include <cmath>

#include "io/record/html_report.hpp"
#include "io/record/svg_plot.hpp"
#include "pipelines/common/score_text.hpp"

namespace reseda::medical {
namespace {

using app::fixed_text;
using app::interval_text;
using Cells = std::vector<std::string>;

std::string label_of(const ScoreName& name) { return name.label + (name.unit.empty() ? "" : ", " + name.unit); }

/// The definition of a score in one line.
std::string definition_of(const ScoreName& name) {
  std::string out = name.metric;
  for (const auto& [what, text] : {std::pair{"range", &name.range}, {"window", &name.window}, {"mask", &name.mask}})
    if (!text->empty()) out += "; " + std::string(what) + ": " + *text;
  return out + ".";
}

const char* of_kind(ScanKind kind) { return kind == ScanKind::kCt ? " of CT" : ""; }

void add_summary(io::HtmlReport& report, const KindSummary& kind, bool input) {
  Cells header = {"score", "better is", "restored", "verdict"};
  if (input) header = {"score", "better is", "input", "restored", "change", "verdict"};
  std::vector<Cells> rows;
  std::vector<std::pair<std::string, std::string>> definitions;
  std::size_t left_out = 0;
  for (const ScoreSummary& score : kind.scores) {
    const int decimals = score.name->decimals;
    Cells row = {label_of(*score.name), app::better_name(score.name->better)};
    if (input) row.push_back(interval_text(score.input, decimals));
    row.push_back(interval_text(score.restored, decimals));
    if (input) row.push_back(interval_text(score.change, decimals));
    row.push_back(verdict(score));
    left_out += score.restored.left_out;
    rows.push_back(std::move(row));
    definitions.emplace_back(score.name->label, definition_of(*score.name));
  }
  report.heading("Means over " + std::to_string(kind.slices) + (kind.slices == 1 ? " slice" : " slices") +
                 of_kind(kind.kind));
  report.table(header, rows,
               (kind.slices == 1
                    ? std::string("One slice has no interval.")
                    : "In brackets: 95 % interval of the mean, by bootstrap over slices as if they were independent.") +
                   (left_out ? " Undefined and left out: " + std::to_string(left_out) + " numbers." : std::string()));
  report.heading("What the numbers are");
  report.facts(definitions);
}

/// A row of means per scan, where there are several.
void add_scan_means(io::HtmlReport& report, const Evaluation& evaluation, ScanKind kind) {
  const std::vector<const ScanResult*> scans = scans_of(evaluation, kind);
  if (scans.size() < 2) return;
  Cells header = {"scan", "slices"};
  for (const ScoreName& name : scores_of(kind)) header.push_back(label_of(name));
  std::vector<Cells> rows;
  for (const ScanResult* scan : scans) {
    Cells row = {scan->pair.name, std::to_string(scan->scores.slices.size())};
    for (std::size_t i = 0; i < scores_of(kind).size(); ++i)
      row.push_back(fixed_text(metrics::mean_std(score_column(scan->scores.slices, i, Column::kRestored)).mean,
                               scores_of(kind)[i].decimals));
    rows.push_back(std::move(row));
  }
  report.heading(std::string("Scans") + of_kind(kind) + ", means over their restored slices");
  report.table(header, rows);
}

std::string noise_text(const metrics::NoiseLevel& level) {
  return fixed_text(level.sigma, 2) + " [" + fixed_text(level.low, 2) + ", " + fixed_text(level.high, 2) + "] from " +
         std::to_string(level.patches) + " patches, " + noise_site_name(level.site);
}

void add_scan_facts(io::HtmlReport& report, const ScanResult& scan) {
  const ScanScores& scores = scan.scores;
  std::vector<std::pair<std::string, std::string>> facts = {{"reference", scan.pair.reference.string()},
                                                            {"restored", scan.pair.restored.string()}};
  if (!scan.pair.input.empty()) facts.emplace_back("input", scan.pair.input.string());
  facts.emplace_back("size", std::to_string(scores.size[0]) + " slices of " + std::to_string(scores.size[1]) + " x " +
                                 std::to_string(scores.size[2]) + " pixels, scored as " +
                                 (scores.kind == ScanKind::kCt ? "CT" : "other than CT"));
  facts.emplace_back("geometry", scores.geometry
                                     ? "restored and reference differ by at most " +
                                           fixed_text(scores.geometry->position_mm, 4) + " mm in position, " +
                                           fixed_text(scores.geometry->orientation, 6) + " in a direction cosine, " +
                                           fixed_text(scores.geometry->spacing_mm, 5) + " mm in spacing"
                                     : "unknown");
  if (scores.input) facts.emplace_back("noise in the input", noise_text(scores.input->level));
  facts.emplace_back("noise in the restored", noise_text(scores.restored.level));
  facts.emplace_back("noise in the reference", noise_text(scores.reference.level));
  report.facts(facts);
  for (const std::string& note : scores.notes) report.paragraph("Note: " + note);
}

/// One score over slices, of the restored scan and its input.
std::string slice_plot(const ScanScores& scan, std::size_t place) {
  const ScoreName& name = scores_of(scan.kind)[place];
  io::Curve restored{"restored", {}, {}}, input{"input", {}, {}};
  for (const SliceScores& slice : scan.slices) {
    restored.x.push_back(static_cast<double>(slice.slice));
    restored.y.push_back(slice.restored[place]);
    if (slice.input.empty()) continue;
    input.x.push_back(static_cast<double>(slice.slice));
    input.y.push_back(slice.input[place]);
  }
  std::vector<io::Curve> curves = {restored};
  if (!input.x.empty()) curves.push_back(input);
  return io::line_plot({name.label, "slice", name.unit.empty() ? name.label : name.unit}, curves);
}

std::string spectrum_plot(const ScanScores& scan) {
  const std::string unit = scan.kind == ScanKind::kCt ? "HU" : "units";
  std::vector<io::Curve> curves = {
      {"restored - reference", scan.restored.spectrum.frequency, scan.restored.spectrum.power}};
  if (scan.input) curves.push_back({"input - reference", scan.input->spectrum.frequency, scan.input->spectrum.power});
  const bool known = scan.spacing_known;
  return io::line_plot({"Noise power spectrum in flat parts", known ? "cycles per mm" : "cycles per pixel",
                        unit + (known ? "^2 mm^2" : "^2 pixel^2")},
                       curves);
}

void add_scan(io::HtmlReport& report, const ScanResult& scan, const std::vector<SliceRow>& pictures) {
  const ScanScores& scores = scan.scores;
  report.heading(scan.pair.name);
  add_scan_facts(report, scan);
  const bool ct = scores.kind == ScanKind::kCt;
  std::string plots =
      "<div style=\"display:grid;gap:0 1rem;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr))\">\n";
  if (scores.slices.size() > 1)
    for (const char* key : {ct ? "rmse_hu" : "psnr", ct ? "ssim_soft" : "ssim", "edge_sharpness"})
      plots += slice_plot(scores, score_place(scores.kind, key));
  if (!scores.restored.spectrum.power.empty()) plots += spectrum_plot(scores);
  report.plot(plots + "</div>\n");
  for (const SliceRow& row : pictures) {
    report.paragraph(row.caption);
    report.pictures(row.pictures);
  }
}

void add_slices(io::HtmlReport& report, const Evaluation& evaluation, ScanKind kind) {
  Cells header = {"scan", "slice"};
  for (const ScoreName& name : scores_of(kind)) header.push_back(label_of(name));
  std::vector<Cells> rows;
  for (const ScanResult* scan : scans_of(evaluation, kind))
    for (const SliceScores& slice : scan->scores.slices) {
      Cells row = {scan->pair.name, std::to_string(slice.slice)};
      for (std::size_t i = 0; i < slice.restored.size(); ++i)
        row.push_back(fixed_text(slice.restored[i], scores_of(kind)[i].decimals));
      rows.push_back(std::move(row));
    }
  report.heading(std::string("Slices") + of_kind(kind) + ", restored");
  report.table(header, rows, "Slices are counted from 0; scores.tsv also has those of the input.");
}

}  // namespace

std::string evaluation_html(const Evaluation& evaluation, const std::vector<KindSummary>& summary,
                            const std::vector<std::vector<SliceRow>>& pictures) {
  io::HtmlReport report("Medical evaluation");
  report.paragraph("For research. Not a medical device; not for diagnosis.");
  report.facts(evaluation.facts);
  for (const KindSummary& kind : summary) {
    add_summary(report, kind, has_input(evaluation));
    add_scan_means(report, evaluation, kind.kind);
  }
  std::vector<Cells> failures;
  for (std::size_t i = 0; i < evaluation.scans.size(); ++i) {
    const ScanResult& scan = evaluation.scans[i];
    if (scan.problem.empty())
      add_scan(report, scan, pictures[i]);
    else
      failures.push_back({scan.pair.name, scan.problem});
  }
  for (const KindSummary& kind : summary) add_slices(report, evaluation, kind.kind);
  if (!failures.empty()) {
    report.heading("Not compared: " + std::to_string(failures.size()));
    report.table({"scan", "reason"}, failures);
  }
  return report.page();
}

}  // namespace reseda::medical
