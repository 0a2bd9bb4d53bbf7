#include "pipelines/medical/evaluation/evaluation_table.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "modules/core/config.hpp"
#include "pipelines/common/score_text.hpp"

namespace reseda::medical {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double value_of(const SliceScores& slice, std::size_t place, Column column) {
  if (column == Column::kRestored) return slice.restored[place];
  if (slice.input.empty()) return kNan;
  return column == Column::kInput ? slice.input[place] : slice.restored[place] - slice.input[place];
}

/// Place of a score among those of a kind, or their number.
std::size_t place_of(ScanKind kind, const std::string& key) {
  const std::vector<ScoreName>& names = scores_of(kind);
  return static_cast<std::size_t>(
      std::find_if(names.begin(), names.end(), [&](const ScoreName& name) { return name.key == key; }) - names.begin());
}

bool is_correlation(const ScoreName& name) {
  return name.key == "residual_correlation" || name.key == "residual_edges";
}

}  // namespace

bool has_input(const Evaluation& evaluation) {
  return std::any_of(evaluation.scans.begin(), evaluation.scans.end(),
                     [](const ScanResult& scan) { return scan.problem.empty() && scan.scores.input.has_value(); });
}

std::vector<const ScoreName*> score_names(const Evaluation& evaluation) {
  std::vector<const ScoreName*> names;
  for (const ScanKind kind : {ScanKind::kCt, ScanKind::kOther}) {
    if (std::none_of(evaluation.scans.begin(), evaluation.scans.end(),
                     [&](const ScanResult& scan) { return scan.problem.empty() && scan.scores.kind == kind; }))
      continue;
    for (const ScoreName& name : scores_of(kind))
      if (std::none_of(names.begin(), names.end(), [&](const ScoreName* other) { return other->key == name.key; }))
        names.push_back(&name);
  }
  return names;
}

std::vector<double> score_column(const Evaluation& evaluation, const std::string& key, Column column) {
  std::vector<double> values;
  for (const ScanResult& scan : evaluation.scans) {
    if (!scan.problem.empty()) continue;
    const std::size_t place = place_of(scan.scores.kind, key);
    for (const SliceScores& slice : scan.scores.slices)
      values.push_back(place < slice.restored.size() ? value_of(slice, place, column) : kNan);
  }
  return values;
}

std::vector<ScoreSummary> summarise(const Evaluation& evaluation) {
  std::vector<ScoreSummary> out;
  for (const ScoreName* name : score_names(evaluation)) {
    const auto mean = [&](Column column) {
      return metrics::bootstrap_mean(score_column(evaluation, name->key, column), evaluation.bootstrap);
    };
    out.push_back({name, mean(Column::kRestored), mean(Column::kInput), mean(Column::kChange)});
  }
  return out;
}

std::string verdict(const ScoreSummary& summary) {
  const Better better = summary.name->better;
  if (is_correlation(*summary.name) && std::isfinite(summary.restored.mean))
    return std::abs(summary.restored.mean) < 0.1 ? "within 0.1" : "above 0.1";
  if ((better != Better::kHigher && better != Better::kLower) || summary.change.count == 0) return "";
  if (summary.change.low <= 0 && summary.change.high >= 0) return "not clear";
  return (summary.change.low > 0) == (better == Better::kHigher) ? "better" : "worse";
}

std::vector<std::size_t> shown_slices(const ScanScores& scan) {
  const bool ct = scan.kind == ScanKind::kCt;
  const std::size_t place = place_of(scan.kind, ct ? "rmse_hu" : "psnr");
  std::vector<std::size_t> order(scan.slices.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const double x = scan.slices[a].restored[place], y = scan.slices[b].restored[place];
    return ct ? x > y : x < y;
  });
  std::vector<std::size_t> out;
  for (const std::size_t slice : {order.front(), order[order.size() / 2], order.back()})
    if (std::find(out.begin(), out.end(), slice) == out.end()) out.push_back(slice);
  return out;
}

std::string to_tsv(const Evaluation& evaluation) {
  std::vector<std::pair<std::string, Column>> groups = {{"", Column::kRestored}};
  if (has_input(evaluation)) groups.insert(groups.end(), {{"input_", Column::kInput}, {"d_", Column::kChange}});
  std::string out = "scan\tslice";
  std::vector<std::vector<double>> columns;
  for (const auto& [prefix, column] : groups)
    for (const ScoreName* name : score_names(evaluation)) {
      out += "\t" + prefix + name->key;
      columns.push_back(score_column(evaluation, name->key, column));
    }
  out += "\n";
  std::size_t row = 0;
  for (const ScanResult& scan : evaluation.scans) {
    if (!scan.problem.empty()) continue;
    std::string name = scan.pair.name;
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
    for (const SliceScores& slice : scan.scores.slices) {
      out += name + "\t" + std::to_string(slice.slice);
      for (const std::vector<double>& column : columns)
        out += "\t" + (std::isnan(column[row]) ? std::string() : number_text(column[row]));
      out += "\n";
      ++row;
    }
  }
  return out;
}

std::string summary_text(const Evaluation& evaluation, const std::vector<ScoreSummary>& summary) {
  const bool input = has_input(evaluation);
  std::vector<std::vector<std::string>> lines = {{""}};
  if (input) lines[0].emplace_back("input");
  lines[0].emplace_back("restored");
  if (input) lines[0].emplace_back("change");
  for (const ScoreSummary& score : summary) {
    const auto cell = [&](const metrics::MeanInterval& mean) { return app::interval_text(mean, score.name->decimals); };
    std::vector<std::string> line = {score.name->label + (score.name->unit.empty() ? "" : ", " + score.name->unit)};
    if (input) line.push_back(cell(score.input));
    line.push_back(cell(score.restored));
    if (input) line.push_back(cell(score.change));
    lines.push_back(std::move(line));
  }
  std::string out;
  for (const std::vector<std::string>& line : lines) {
    std::string text;
    for (const std::string& cell : line) text += cell + std::string(cell.size() < 32 ? 32 - cell.size() : 2, ' ');
    out += text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

}  // namespace reseda::medical
