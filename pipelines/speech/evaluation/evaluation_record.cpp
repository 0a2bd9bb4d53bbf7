#include "pipelines/speech/evaluation/evaluation_record.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "io/record/json_lines.hpp"
#include "modules/core/config.hpp"
#include "modules/core/error.hpp"
#include "pipelines/common/score_text.hpp"

namespace reseda::speech {
namespace {

/// In the order of computed_scores().
std::vector<double> values_of(const Quality& q) { return {q.si_sdr, q.estoi, q.lsd, q.seg_snr}; }

bool improves_upwards(const std::string& column) {
  for (const ScoreName& score : computed_scores())
    if (column == score.key || column == "noisy_" + score.key || column == "d_" + score.key)
      return score.better == Better::kHigher;
  return true;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i) out += (i ? ",\n" : "") + lines[i];
  return out;
}

}  // namespace

ScoreTable table_of(const std::vector<ItemResult>& results, bool noisy) {
  ScoreTable table;
  table.columns = {"seconds"};
  for (const char* prefix : {"", "noisy_", "d_"})
    for (const ScoreName& score : computed_scores())
      if (*prefix == '\0' || noisy) table.columns.push_back(prefix + score.key);
  table.columns.insert(table.columns.end(), {"delay", "length_diff"});
  for (const ItemResult& result : results) {
    if (!result.problem.empty()) continue;
    ScoreTable::Row row{.file = result.item.name, .values = {result.scores.seconds}};
    const std::vector<double> enhanced = values_of(result.scores.enhanced);
    row.values.insert(row.values.end(), enhanced.begin(), enhanced.end());
    if (noisy) {
      const std::vector<double> before = values_of(*result.scores.noisy);
      row.values.insert(row.values.end(), before.begin(), before.end());
      for (std::size_t i = 0; i < before.size(); ++i) row.values.push_back(enhanced[i] - before[i]);
    }
    row.values.push_back(static_cast<double>(result.scores.delay));
    row.values.push_back(static_cast<double>(result.scores.length_difference));
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string to_json(const EvaluationPage& page) {
  io::JsonObject facts;
  for (const auto& [name, value] : page.facts) facts.add(name, value);
  std::vector<std::string> summary, rows, failures;
  for (std::size_t c = 0; c < page.summary.size(); ++c) {
    summary.push_back(json_quoted(page.table->columns[c]) + ": " + app::interval_json(page.summary[c]));
  }
  for (const ScoreTable::Row& row : page.table->rows) {
    io::JsonObject object;
    object.add("file", row.file);
    for (std::size_t c = 0; c < row.values.size(); ++c) object.add(page.table->columns[c], row.values[c]);
    rows.push_back(object.line());
  }
  for (const auto& [file, reason] : page.failures)
    failures.push_back(io::JsonObject().add("file", file).add("reason", reason).line());
  return "{\"compared\": " + facts.line() + ",\n\"summary\": {\n" + joined(summary) + "},\n\"rows\": [\n" +
         joined(rows) + "],\n\"failures\": [" + joined(failures) + "]}\n";
}

std::vector<std::size_t> worst_first(const ScoreTable& table, const std::string& column) {
  const auto index = table.find_column(column);
  if (!index) {
    std::string known;
    for (const std::string& name : table.columns) known += (known.empty() ? "" : ", ") + name;
    detail::raise(Errc::kUsage, "--sort: no column '", column, "' (known: ", known, ")");
  }
  std::vector<std::size_t> order(table.rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const double sign = improves_upwards(column) ? 1.0 : -1.0;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const double x = table.rows[a].values[*index], y = table.rows[b].values[*index];
    if (std::isnan(x) || std::isnan(y)) return !std::isnan(x) && std::isnan(y);
    return sign * x < sign * y;
  });
  return order;
}

std::vector<std::string> notes_on(const ScoreTable& table) {
  std::vector<std::string> notes;
  const std::string of_all = " of " + std::to_string(table.rows.size()) + " enhanced files ";
  const auto nonzero = [&](const std::string& column) {
    std::vector<double> values = table.column(*table.find_column(column));
    std::erase_if(values, [](double v) { return v == 0; });
    std::sort(values.begin(), values.end());
    return values;
  };
  if (const auto delays = nonzero("delay"); !delays.empty())
    notes.push_back(std::to_string(delays.size()) + of_all +
                    "fit the clean ones best at another time (median shift of these " +
                    number_text(delays[delays.size() / 2]) +
                    " samples, positive when late): SI-SDR and segmental SNR punish a shift, nothing was aligned.");
  if (const auto cuts = nonzero("length_diff"); !cuts.empty())
    notes.push_back(std::to_string(cuts.size()) + of_all + "differ in length from the clean ones (by " +
                    number_text(cuts.front()) + (cuts.front() == cuts.back() ? "" : " to " + number_text(cuts.back())) +
                    " samples); only the part that all have was compared.");
  std::size_t undefined = 0;
  for (const ScoreName& score : computed_scores())
    for (const double value : table.column(*table.find_column(score.key))) undefined += std::isnan(value) ? 1 : 0;
  if (undefined > 0)
    notes.push_back(
        std::to_string(undefined) +
        " scores are undefined (silent reference, or less than 0.4 s of speech for ESTOI) and left out of means.");
  return notes;
}

}  // namespace reseda::speech
