#include "pipelines/speech/evaluation/evaluation_page.hpp"

#include <algorithm>
#include <cmath>

#include "io/record/html_report.hpp"
#include "pipelines/speech/evaluation/svg_text.hpp"

namespace reseda::speech {
namespace {

using Cells = std::vector<std::string>;

using app::interval_text;

bool has_noisy(const ScoreTable& table) { return table.find_column("noisy_" + computed_scores()[0].key).has_value(); }

std::string label_of(const ScoreName& score) { return score.label + (score.unit.empty() ? "" : ", " + score.unit); }

/// The computed scores, then every further column as a score of its own; noisy_X and d_X belong to X where that exists.
std::vector<ScoreName> all_scores(const ScoreTable& table) {
  std::vector<ScoreName> scores = computed_scores();
  const auto is_part = [&](const std::string& column, const std::string& prefix) {
    return column.starts_with(prefix) && table.find_column(column.substr(prefix.size()));
  };
  for (const std::string& column : table.columns) {
    if (column == "seconds" || column == "length_diff" || column == "delay") continue;
    if (is_part(column, "d_") || is_part(column, "noisy_")) continue;
    if (std::none_of(scores.begin(), scores.end(), [&](const ScoreName& s) { return s.key == column; }))
      scores.push_back({column, column, "", 3, Better::kHigher});
  }
  return scores;
}

/// Mean and interval of a column; empty if the table lacks it.
std::string mean_cell(const ScoreTable& table, const std::vector<metrics::MeanInterval>& summary,
                      const std::string& column, int decimals) {
  const auto index = table.find_column(column);
  return index ? interval_text(summary[*index], decimals) : "";
}

/// Whether the interval of a change lies on one side of zero; of a single file there is none.
std::string verdict(const EvaluationPage& page, const ScoreName& score) {
  const auto index = page.table->find_column("d_" + score.key);
  if (!index) return "";
  const metrics::MeanInterval& m = page.summary[*index];
  if (m.count < 2) return "";
  if (m.low > 0 || m.high < 0) return (m.low > 0) == (score.better == Better::kHigher) ? "better" : "worse";
  return "not clear";
}

void add_summary(io::HtmlReport& report, const EvaluationPage& page) {
  const ScoreTable& table = *page.table;
  const bool noisy = has_noisy(table);
  Cells header = {"score", "better is", "enhanced"};
  if (noisy) header = {"score", "better is", "noisy", "enhanced", "change", "verdict"};
  header.emplace_back("files left out");
  std::vector<Cells> rows;
  const std::size_t computed = computed_scores().size();
  const std::vector<ScoreName> scores = all_scores(table);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const ScoreName& score = scores[i];
    Cells row = {label_of(score), i >= computed ? "" : score.better == Better::kHigher ? "higher" : "lower"};
    if (noisy) row.push_back(mean_cell(table, page.summary, "noisy_" + score.key, score.decimals));
    row.push_back(mean_cell(table, page.summary, score.key, score.decimals));
    if (noisy) {
      row.push_back(mean_cell(table, page.summary, "d_" + score.key, score.decimals));
      row.push_back(i < computed ? verdict(page, score) : "");
    }
    row.push_back(std::to_string(page.summary[*table.find_column(score.key)].left_out));
    rows.push_back(std::move(row));
  }
  report.heading("Means over " + std::to_string(table.rows.size()) + (table.rows.size() == 1 ? " file" : " files"));
  report.table(header, rows,
               table.rows.size() == 1 ? "One file has no interval."
                                      : "In brackets: 95 % interval of the mean, by bootstrap over files.");
}

void add_plots(io::HtmlReport& report, const EvaluationPage& page) {
  const ScoreTable& table = *page.table;
  const bool noisy = has_noisy(table);
  Cells files;
  for (const ScoreTable::Row& row : table.rows) files.push_back(row.file);
  std::string plots = "<div class=\"row\">\n";
  for (const ScoreName& score : computed_scores())
    plots += histogram_svg(table.column(*table.find_column((noisy ? "d_" : "") + score.key)),
                           {.title = score.label + (noisy ? ": change" : ""),
                            .unit = noisy ? (score.unit.empty() ? "change" : "change, " + score.unit) : label_of(score),
                            .better = score.better,
                            .better_side = noisy}) +
             "\n";
  for (const ScoreName& score : computed_scores()) {
    if (!noisy) break;
    plots +=
        scatter_svg(table.column(*table.find_column("noisy_" + score.key)), table.column(*table.find_column(score.key)),
                    files, {.title = score.label, .unit = score.unit, .better = score.better}) +
        "\n";
  }
  report.heading("Distribution over files");
  report.paragraph(noisy ? "Blue: better than the noisy file; yellow: worse. Red line: mean. Dashed: no change."
                         : "Red line: mean.");
  report.plot(plots + "</div>\n");
}

void add_pictures(io::HtmlReport& report, const EvaluationPage& page) {
  if (page.pictures.empty()) return;
  report.heading("Spectrograms");
  report.paragraph("Level in dB against the loudest point of the file's pictures.");
  report.plot(page.colour_bar);
  for (const PictureRow& row : page.pictures) {
    report.paragraph(row.file + ": " + row.caption);
    std::string pictures = "<div class=\"row\">\n";
    for (const std::string& picture : row.pictures) pictures += picture + "\n";
    report.plot(pictures + "</div>\n");
  }
}

int decimals_of(const std::string& column, const std::vector<ScoreName>& scores) {
  if (column == "length_diff" || column == "delay") return 0;
  for (const ScoreName& score : scores)
    if (column == score.key || column == "noisy_" + score.key || column == "d_" + score.key) return score.decimals;
  return 2;
}

void add_files(io::HtmlReport& report, const EvaluationPage& page) {
  const ScoreTable& table = *page.table;
  const std::vector<ScoreName> scores = all_scores(table);
  Cells header = {"file"};
  header.insert(header.end(), table.columns.begin(), table.columns.end());
  std::vector<Cells> rows;
  for (const std::size_t i : page.order) {
    Cells row = {table.rows[i].file};
    for (std::size_t c = 0; c < table.columns.size(); ++c)
      row.push_back(fixed_text(table.rows[i].values[c], decimals_of(table.columns[c], scores)));
    rows.push_back(std::move(row));
  }
  report.heading("Files, worst first");
  report.table(header, rows,
               "In the order of " + page.ordered_by + ". d_: enhanced minus noisy; length_diff and delay: samples.");
}

}  // namespace

const std::vector<ScoreName>& computed_scores() {
  static const std::vector<ScoreName> names = {{"si_sdr", "SI-SDR", "dB", 2, Better::kHigher},
                                               {"estoi", "ESTOI", "", 3, Better::kHigher},
                                               {"lsd", "Log-spectral distance", "dB", 2, Better::kLower},
                                               {"seg_snr", "Segmental SNR", "dB", 2, Better::kHigher}};
  return names;
}

std::string evaluation_html(const EvaluationPage& page) {
  io::HtmlReport report("Speech evaluation");
  report.facts(page.facts);
  for (const std::string& note : page.notes) report.paragraph("Note: " + note);
  if (!page.table->rows.empty()) {
    add_summary(report, page);
    add_plots(report, page);
    add_pictures(report, page);
    add_files(report, page);
  }
  if (!page.failures.empty()) {
    std::vector<Cells> rows;
    for (const auto& [file, reason] : page.failures) rows.push_back({file, reason});
    report.heading("Not compared: " + std::to_string(page.failures.size()));
    report.table({"file", "reason"}, rows);
  }
  return report.page();
}

std::string summary_text(const ScoreTable& table, const std::vector<metrics::MeanInterval>& summary) {
  const bool noisy = has_noisy(table);
  std::vector<Cells> lines = {{""}};
  if (noisy) lines[0].emplace_back("noisy");
  lines[0].emplace_back("enhanced");
  if (noisy) lines[0].emplace_back("change");
  for (const ScoreName& score : all_scores(table)) {
    Cells line = {label_of(score)};
    if (noisy) line.push_back(mean_cell(table, summary, "noisy_" + score.key, score.decimals));
    line.push_back(mean_cell(table, summary, score.key, score.decimals));
    if (noisy) line.push_back(mean_cell(table, summary, "d_" + score.key, score.decimals));
    lines.push_back(std::move(line));
  }
  std::string out;
  for (const Cells& line : lines) {
    std::string text;
    for (const std::string& cell : line) text += cell + std::string(cell.size() < 26 ? 26 - cell.size() : 2, ' ');
    out += text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

}  // namespace reseda::speech
