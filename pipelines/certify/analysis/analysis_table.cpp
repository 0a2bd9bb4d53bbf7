#include "pipelines/certify/analysis/analysis_table.hpp"

#include <algorithm>

#include "io/record/csv.hpp"
#include "io/record/json_lines.hpp"
#include "modules/core/config_node.hpp"
#include "pipelines/common/score_text.hpp"

namespace reseda::certify {
namespace {

using app::fixed_text;

ConfigNode number(double value) { return ConfigNode(number_text(value)); }
ConfigNode number(std::int64_t value) { return ConfigNode(std::to_string(value)); }

ConfigNode interval(const stats::Interval& ends) {
  ConfigNode list = ConfigNode::list();
  list.append(number(ends.low));
  list.append(number(ends.high));
  return list;
}

ConfigNode result_tree(const RunAnalysis& result, const CertifiedRun& run) {
  ConfigNode tree = ConfigNode::map();
  tree["run"] = ConfigNode(result.name);
  tree["images"] = number(result.images);
  tree["abstained"] = number(result.abstained);
  tree["wrong"] = number(result.wrong);
  tree["alpha"] = number(result.alpha);
  tree["average_certified_radius"] = number(result.average_radius);
  if (result.radius_interval) tree["average_certified_radius_interval"] = interval(*result.radius_interval);
  tree["largest_radius"] = number(result.largest_radius);
  tree["seconds_per_image"] = number(result.seconds);
  ConfigNode points = ConfigNode::list();
  for (const CurvePoint& point : result.at_radii) {
    ConfigNode one = ConfigNode::map();
    one["radius"] = number(point.radius);
    one["certified_accuracy"] = number(point.accuracy);
    one["band"] = interval(point.band);
    one["with_high_probability"] = number(point.with_high_prob);
    points.append(std::move(one));
  }
  tree["at"] = std::move(points);
  if (run.settings) tree["settings"] = write_config(*run.settings);
  return tree;
}

ConfigNode comparison_tree(const RunComparison& comparison, const std::string& run, const std::string& with) {
  ConfigNode tree = ConfigNode::map();
  tree["run"] = ConfigNode(run);
  tree["with"] = ConfigNode(with);
  tree["shared_images"] = number(comparison.shared);
  ConfigNode points = ConfigNode::list();
  for (const RadiusComparison& at : comparison.at_radii) {
    ConfigNode one = ConfigNode::map();
    one["radius"] = number(at.radius);
    one["gained"] = number(at.gained);
    one["lost"] = number(at.lost);
    one["p_value"] = number(at.p_value);
    points.append(std::move(one));
  }
  tree["at"] = std::move(points);
  return tree;
}

std::string padded(const std::string& text, std::size_t width, bool left) {
  const std::string space(width > text.size() ? width - text.size() : 0, ' ');
  return left ? text + space : space + text;
}

}  // namespace

std::string radius_text(double radius) {
  std::string text = fixed_text(radius, 4);
  while (text.back() == '0' && text[text.size() - 3] != '.') text.pop_back();
  return text;
}

std::string curves_csv(const Analysis& analysis) {
  io::CsvTable table({"run", "radius", "certified_accuracy", "band_low", "band_high", "with_high_probability"});
  for (const RunAnalysis& result : analysis.results)
    for (const CurvePoint& point : result.curve)
      table.add({result.name, fixed_text(point.radius, 4), fixed_text(point.accuracy, 6), fixed_text(point.band.low, 6),
                 fixed_text(point.band.high, 6), fixed_text(point.with_high_prob, 6)});
  return table.text();
}

std::string analysis_json(const Analysis& analysis) {
  ConfigNode tree = ConfigNode::map();
  ConfigNode runs = ConfigNode::list(), comparisons = ConfigNode::list();
  for (std::size_t i = 0; i < analysis.results.size(); ++i)
    runs.append(result_tree(analysis.results[i], analysis.runs[i]));
  for (std::size_t i = 0; i < analysis.comparisons.size(); ++i)
    if (analysis.comparisons[i].shared > 0)
      comparisons.append(
          comparison_tree(analysis.comparisons[i], analysis.results[i + 1].name, analysis.results[0].name));
  tree["rho"] = number(analysis.config.rho);
  tree["runs"] = std::move(runs);
  tree["comparisons"] = std::move(comparisons);
  return tree.to_json(2) + "\n";
}

std::string accuracy_text(const Analysis& analysis) {
  constexpr std::size_t kColumn = 10;
  std::size_t name_width = 3;
  for (const RunAnalysis& result : analysis.results) name_width = std::max(name_width, result.name.size());
  std::string text = padded("run", name_width, true) + padded("images", kColumn, false);
  for (const double radius : analysis.config.radii) text += padded("r=" + radius_text(radius), kColumn, false);
  text += padded("ACR", kColumn, false) + "\n";
  for (std::size_t i = 0; i < analysis.results.size(); ++i) {
    const RunAnalysis& result = analysis.results[i];
    text += padded(result.name, name_width, true) + padded(std::to_string(result.images), kColumn, false);
    for (std::size_t j = 0; j < result.at_radii.size(); ++j) {
      const bool star = is_best(analysis, i, j);
      text += padded(fixed_text(result.at_radii[j].accuracy, 3) + (star ? "*" : " "), kColumn, false);
    }
    text += padded(fixed_text(result.average_radius, 3), kColumn, false) + "\n";
  }
  return text;
}

std::vector<AccuracyRow> accuracy_rows(const Analysis& analysis) {
  std::vector<AccuracyRow> rows;
  for (const RunAnalysis& result : analysis.results) {
    rows.push_back({result.name, {}});
    for (const CurvePoint& point : result.at_radii) rows.back().accuracies.push_back(point.accuracy);
  }
  return rows;
}

}  // namespace reseda::certify
