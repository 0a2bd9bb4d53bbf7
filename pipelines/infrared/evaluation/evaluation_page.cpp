#include "pipelines/infrared/evaluation/evaluation_page.hpp"

namespace reseda::infrared {
namespace {

using app::fixed_text;
using app::interval_text;
using Cells = std::vector<std::string>;

std::string label_of(const ScoreName& name) { return name.label + (name.unit.empty() ? "" : ", " + name.unit); }

void add_summary(io::HtmlReport& report, const Evaluation& evaluation) {
  Cells header = {"score", "better is", "restored"};
  if (evaluation.has_input) header = {"score", "better is", "input", "restored", "change", "verdict"};
  const std::vector<ScoreName> names = evaluation.names();
  std::vector<Cells> rows;
  std::vector<std::pair<std::string, std::string>> definitions;
  for (std::size_t i = 0; i < evaluation.summary.size(); ++i) {
    const ScoreName& name = names[i];
    const ScoreSummary& summary = evaluation.summary[i];
    Cells row = {label_of(name), app::better_name(name.better)};
    const auto cell = [&](const metrics::MeanInterval& m) {
      return m.count + m.left_out == 0 ? "" : interval_text(m, name.decimals);
    };
    if (evaluation.has_input) row.push_back(cell(summary.input));
    row.push_back(cell(summary.restored));
    if (evaluation.has_input) row.insert(row.end(), {cell(summary.change), verdict(name, summary)});
    rows.push_back(std::move(row));
    definitions.emplace_back(name.label, name.definition + ".");
  }
  const std::size_t count = good_frames(evaluation).size();
  report.heading("Means over " + std::to_string(count) + (count == 1 ? " frame" : " frames"));
  report.table(
      header, rows,
      (count == 1 ? std::string("One frame has no interval.")
                  : "In brackets: 95 % interval of the mean, by bootstrap over frames as if they were independent.") +
          std::string(evaluation.has_input ? " Input: enlarged by Pillow's bicubic." : ""));
  report.heading("What the numbers are");
  report.paragraph(
      "r is the reference, x the restored frame or the enlarged input, in the units of the files. R is 255 for 8-bit "
      "samples, else the reference's largest value less its smallest.");
  report.facts(definitions);
}

void add_frames(io::HtmlReport& report, const Evaluation& evaluation) {
  Cells header = {"frame", "bits", "range"};
  const std::vector<ScoreName> names = evaluation.names();
  for (const ScoreName& name : names) header.push_back(label_of(name));
  std::vector<Cells> rows;
  for (const FrameResult* frame : good_frames(evaluation)) {
    Cells row = {frame->pair.name, std::to_string(frame->scores.bits), fixed_text(frame->scores.range, 0)};
    for (std::size_t i = 0; i < names.size(); ++i)
      row.push_back(fixed_text(frame->scores.restored[i], names[i].decimals));
    rows.push_back(std::move(row));
  }
  report.heading("Frames, restored");
  report.table(header, rows, evaluation.has_input ? "scores.csv also has the scores of the inputs." : "");
}

}  // namespace

std::string evaluation_html(const Evaluation& evaluation, const std::vector<FrameRow>& pictures) {
  io::HtmlReport report("Infrared evaluation");
  report.facts(evaluation.facts);
  if (!evaluation.summary.empty()) add_summary(report, evaluation);
  if (!pictures.empty()) {
    report.heading("Frames with the lowest and the highest PSNR");
    report.paragraph("Framed and enlarged: the square with the largest squared error.");
  }
  for (const FrameRow& row : pictures) {
    report.paragraph(row.caption);
    report.pictures(row.whole);
    report.pictures(row.zoom);
  }
  if (!evaluation.summary.empty()) add_frames(report, evaluation);
  std::vector<Cells> failures;
  for (const FrameResult& frame : evaluation.frames)
    if (!frame.pair.problem.empty()) failures.push_back({frame.pair.name, frame.pair.problem});
  if (!failures.empty()) {
    report.heading("Not compared: " + std::to_string(failures.size()));
    report.table({"frame", "reason"}, failures);
  }
  return report.page();
}

}  // namespace reseda::infrared
