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

bool is_correlation(const ScoreName& name) {
  return name.key == "residual_correlation" || name.key == "residual_edges";
}

}  // namespace

bool has_input(const Evaluation& evaluation) {
  return std::any_of(evaluation.scans.begin(), evaluation.scans.end(),
                     [](const ScanResult& scan) { return scan.problem.empty() && scan.scores.input.has_value(); });
}

std::vector<const ScanResult*> scans_of(const Evaluation& evaluation, ScanKind kind) {
  std::vector<const ScanResult*> out;
  for (const ScanResult& scan : evaluation.scans)
    if (scan.problem.empty() && scan.scores.kind == kind) out.push_back(&scan);
  return out;
}

std::vector<double> score_column(const std::vector<SliceScores>& slices, std::size_t place, Column column) {
  std::vector<double> values(slices.size());
  std::transform(slices.begin(), slices.end(), values.begin(),
                 [&](const SliceScores& slice) { return value_of(slice, place, column); });
  return values;
}

std::vector<KindSummary> summarise(const Evaluation& evaluation) {
  std::vector<KindSummary> out;
  for (const ScanKind kind : {ScanKind::kCt, ScanKind::kOther}) {
    std::vector<SliceScores> slices;
    for (const ScanResult* scan : scans_of(evaluation, kind))
      slices.insert(slices.end(), scan->scores.slices.begin(), scan->scores.slices.end());
    if (slices.empty()) continue;
    KindSummary summary{.kind = kind, .slices = slices.size(), .scores = {}};
    for (std::size_t i = 0; i < scores_of(kind).size(); ++i) {
      const auto mean = [&](Column column) {
        return metrics::bootstrap_mean(score_column(slices, i, column), evaluation.bootstrap);
      };
      summary.scores.push_back(
          {&scores_of(kind)[i], mean(Column::kRestored), mean(Column::kInput), mean(Column::kChange)});
    }
    out.push_back(std::move(summary));
  }
  return out;
}

std::string verdict(const ScoreSummary& summary) {
  const Better better = summary.name->better;
  if (is_correlation(*summary.name) && std::isfinite(summary.restored.mean)) {
    if (summary.restored.mean <= -0.1) return "below -0.1";
    return summary.restored.mean < 0.1 ? "within 0.1" : "above 0.1";
  }
  if ((better != Better::kHigher && better != Better::kLower) || summary.change.count < 2) return "";
  if (summary.change.low <= 0 && summary.change.high >= 0) return "not clear";
  return (summary.change.low > 0) == (better == Better::kHigher) ? "better" : "worse";
}

std::vector<std::size_t> shown_slices(const ScanScores& scan) {
  const bool ct = scan.kind == ScanKind::kCt;
  const std::size_t place = score_place(scan.kind, ct ? "rmse_hu" : "psnr");
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
  std::vector<std::string> keys;
  for (const ScanKind kind : {ScanKind::kCt, ScanKind::kOther})
    for (const ScoreName& name : scores_of(kind))
      if (!scans_of(evaluation, kind).empty() && std::find(keys.begin(), keys.end(), name.key) == keys.end())
        keys.push_back(name.key);
  std::vector<std::pair<std::string, Column>> groups = {{"", Column::kRestored}};
  if (has_input(evaluation)) groups.insert(groups.end(), {{"input_", Column::kInput}, {"d_", Column::kChange}});
  std::string out = "scan\tslice";
  for (const auto& [prefix, column] : groups)
    for (const std::string& key : keys) out += "\t" + prefix + key;
  out += "\n";
  for (const ScanResult& scan : evaluation.scans) {
    if (!scan.problem.empty()) continue;
    std::string name = scan.pair.name;
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
    for (const SliceScores& slice : scan.scores.slices) {
      out += name + "\t" + std::to_string(slice.slice);
      for (const auto& [prefix, column] : groups)
        for (const std::string& key : keys) {
          const std::size_t place = score_place(scan.scores.kind, key);
          const double value = place < slice.restored.size() ? value_of(slice, place, column) : kNan;
          out += "\t" + (std::isnan(value) ? std::string() : number_text(value));
        }
      out += "\n";
    }
  }
  return out;
}

std::string summary_text(const Evaluation& evaluation, const std::vector<KindSummary>& summary) {
  const bool input = has_input(evaluation);
  std::string out;
  for (const KindSummary& kind : summary) {
    std::vector<std::vector<std::string>> lines = {{std::to_string(kind.slices) +
                                                    (kind.slices == 1 ? " slice" : " slices") +
                                                    (kind.kind == ScanKind::kCt ? " of CT" : "")}};
    if (input) lines[0].emplace_back("input");
    lines[0].emplace_back("restored");
    if (input) lines[0].emplace_back("change");
    for (const ScoreSummary& score : kind.scores) {
      const auto cell = [&](const metrics::MeanInterval& m) { return app::interval_text(m, score.name->decimals); };
      std::vector<std::string> line = {score.name->label + (score.name->unit.empty() ? "" : ", " + score.name->unit)};
      if (input) line.push_back(cell(score.input));
      line.push_back(cell(score.restored));
      if (input) line.push_back(cell(score.change));
      lines.push_back(std::move(line));
    }
    for (const std::vector<std::string>& line : lines) {
      std::string text;
      for (std::size_t i = 0; i < line.size(); ++i) {
        const std::size_t width = i == 0 ? 37 : 26;
        text += line[i] + std::string(line[i].size() < width ? width - line[i].size() : 2, ' ');
      }
      out += text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
    }
  }
  return out;
}

}  // namespace reseda::medical
