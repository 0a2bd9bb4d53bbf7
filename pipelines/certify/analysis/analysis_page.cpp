#include "pipelines/certify/analysis/analysis_page.hpp"

#include "io/record/html_report.hpp"
#include "io/record/svg_plot.hpp"
#include "pipelines/certify/analysis/analysis_table.hpp"
#include "pipelines/common/score_text.hpp"

namespace reseda::certify {
namespace {

using app::fixed_text;
using Cells = std::vector<std::string>;

std::string percent(double share) { return fixed_text(100 * share, 1); }

std::string percent_text(double share) { return number_text(100 * share) + " %"; }

std::string interval_text(const stats::Interval& ends, int decimals) {
  return "[" + fixed_text(ends.low, decimals) + ", " + fixed_text(ends.high, decimals) + "]";
}

void add_accuracies(io::HtmlReport& report, const Analysis& analysis) {
  Cells header = {"run"};
  for (const double radius : analysis.config.radii) header.push_back("r = " + radius_text(radius));
  std::vector<Cells> rows, proven;
  for (std::size_t i = 0; i < analysis.results.size(); ++i) {
    const RunAnalysis& result = analysis.results[i];
    rows.push_back({result.name});
    proven.push_back({result.name});
    for (std::size_t j = 0; j < result.at_radii.size(); ++j) {
      const CurvePoint& point = result.at_radii[j];
      const bool star = is_best(analysis, i, j);
      rows.back().push_back(percent(point.accuracy) + (star ? " * " : " ") + "[" + percent(point.band.low) + ", " +
                            percent(point.band.high) + "]");
      proven.back().push_back(percent(point.with_high_prob));
    }
  }
  report.heading("Certified accuracy, %");
  report.table(
      header, rows,
      "Share of all images that are classified correctly with a radius of r or more; an image on which the "
      "classifier abstains counts as wrong. In brackets: where the share of the population lies, for all radii "
      "at once, with probability " +
          percent_text(1 - analysis.config.rho) +
          " over the choice of images (Dvoretzky, Kiefer and Wolfowitz; Massart 1990)." +
          std::string(analysis.results.size() > 1 ? " A star: the best run at this radius." : ""));
  report.table(
      header, proven,
      "What is left of it for these images with probability 99.9 % although each certificate may be wrong with "
      "probability alpha (Bernstein, as Cohen et al. 2019). It needs noise of its own for each image.");
}

void add_runs(io::HtmlReport& report, const Analysis& analysis) {
  std::vector<Cells> rows;
  for (const RunAnalysis& result : analysis.results)
    rows.push_back({result.name, std::to_string(result.images), std::to_string(result.abstained),
                    std::to_string(result.wrong),
                    fixed_text(result.average_radius, 4) +
                        (result.radius_interval ? " " + interval_text(*result.radius_interval, 4) : ""),
                    fixed_text(result.largest_radius, 4), number_text(result.alpha),
                    result.seconds > 0 ? fixed_text(result.seconds, 2) : "not recorded"});
  report.heading("Runs");
  report.table(
      {"run", "images", "abstained", "wrong", "average certified radius", "largest radius", "alpha",
       "seconds an image"},
      rows,
      "Average certified radius: the mean over all images, 0 where wrong or abstained; in brackets, where the "
      "run says how far its certificates can reach, the interval of the population (Maurer and Pontil 2009). It "
      "weighs easy images heavily: read it beside the curve, not in its place.");
}

void add_comparisons(io::HtmlReport& report, const Analysis& analysis) {
  std::vector<Cells> rows;
  for (std::size_t i = 0; i < analysis.comparisons.size(); ++i)
    for (const RadiusComparison& at : analysis.comparisons[i].at_radii)
      rows.push_back({analysis.results[i + 1].name, std::to_string(analysis.comparisons[i].shared),
                      radius_text(at.radius), std::to_string(at.gained), std::to_string(at.lost),
                      fixed_text(at.p_value, 4)});
  if (rows.empty()) return;
  report.heading("Compared with " + analysis.results[0].name + ", image by image");
  report.table({"run", "shared images", "radius", "gained", "lost", "p-value"}, rows,
               "Gained: images certified at this radius by this run alone; lost: by " + analysis.results[0].name +
                   " alone. The p-value is that of the exact sign test, not corrected for the number of rows.");
}

void add_protocols(io::HtmlReport& report, const Analysis& analysis) {
  for (const CertifiedRun& run : analysis.runs) {
    report.heading("Protocol of " + run.name);
    if (!run.settings) {
      report.paragraph(
          "Read from a log, which says neither its noise nor its sample sizes. Its radii have three digits, rounded to "
          "nearest, so some are larger than what was certified." +
          std::string(run.other_correct ? " Its column `correct` was not label == predict and was not used." : ""));
      continue;
    }
    const ConfigNode tree = write_config(*run.settings);
    std::vector<std::pair<std::string, std::string>> facts;
    for (std::size_t i = 0; i < tree.keys().size(); ++i) {
      const ConfigNode& value = tree.items()[i];
      facts.emplace_back(tree.keys()[i], value.kind() == ConfigNode::Kind::kScalar ? value.scalar() : value.to_json());
    }
    report.facts(facts);
  }
}

}  // namespace

std::string curves_plot(const Analysis& analysis) {
  std::vector<io::Curve> curves;
  for (const RunAnalysis& result : analysis.results) {
    io::Curve curve{.name = result.name, .x = {}, .y = {}};
    for (const CurvePoint& point : result.curve) {
      curve.x.push_back(point.radius);
      curve.y.push_back(point.accuracy);
      curve.low.push_back(point.band.low);
      curve.high.push_back(point.band.high);
    }
    curves.push_back(std::move(curve));
  }
  return io::line_plot({"Certified accuracy", "L2 radius, of images in [0, 1]", "share of images"}, curves);
}

std::string analysis_html(const Analysis& analysis, const std::vector<std::pair<std::string, std::string>>& facts) {
  io::HtmlReport report("Certified accuracy");
  report.facts(facts);
  report.paragraph(
      "A certificate is a statement about the smoothed classifier g, the class that the classifier f gives most often "
      "under Gaussian noise, and none about f: with probability 1 - alpha or more over the noise that was drawn, g "
      "gives "
      "the same class everywhere within the radius.");
  report.plot(curves_plot(analysis));
  add_accuracies(report, analysis);
  add_runs(report, analysis);
  add_comparisons(report, analysis);
  add_protocols(report, analysis);
  return report.page();
}

}  // namespace reseda::certify
