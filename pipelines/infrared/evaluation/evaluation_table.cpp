#include "pipelines/infrared/evaluation/evaluation_table.hpp"

#include <cmath>

#include "io/record/csv.hpp"
#include "io/record/json_lines.hpp"
#include "modules/core/config.hpp"

namespace reseda::infrared {
namespace {

using Values = std::vector<double>;

Values change_of(const FrameScores& scores) {
  Values out(scores.input);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = scores.restored[i] - scores.input[i];
  return out;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i) out += (i ? ",\n" : "") + lines[i];
  return out;
}

std::string summary_object(const ScoreName& name, const ScoreSummary& summary) {
  const std::string definition = io::JsonObject()
                                     .add("label", name.label)
                                     .add("unit", name.unit)
                                     .add("better", app::better_name(name.better))
                                     .add("definition", name.definition)
                                     .line();
  std::string out = "{\"definition\": " + definition + ",\n  \"restored\": " + app::interval_json(summary.restored);
  if (summary.has_input())
    out += ",\n  \"input\": " + app::interval_json(summary.input) +
           ",\n  \"change\": " + app::interval_json(summary.change);
  return out + "}";
}

std::string frame_object(const FrameResult& frame, const std::vector<ScoreName>& names) {
  io::JsonObject object;
  object.add("frame", frame.pair.name).add("bits", frame.scores.bits).add("range", frame.scores.range);
  for (std::size_t i = 0; i < names.size(); ++i) object.add(names[i].key, frame.scores.restored[i]);
  for (std::size_t i = 0; i < frame.scores.input.size(); ++i)
    object.add("input_" + names[i].key, frame.scores.input[i]);
  return object.line();
}

}  // namespace

std::vector<ScoreName> Evaluation::names() const {
  std::vector<ScoreName> out = scores();
  if (has_uncertainty) out.insert(out.end(), uncertainty_scores().begin(), uncertainty_scores().end());
  return out;
}

std::vector<const FrameResult*> good_frames(const Evaluation& evaluation) {
  std::vector<const FrameResult*> out;
  for (const FrameResult& frame : evaluation.frames)
    if (frame.pair.problem.empty()) out.push_back(&frame);
  return out;
}

std::vector<ScoreSummary> summarise(const Evaluation& evaluation, const metrics::BootstrapConfig& bootstrap) {
  std::vector<ScoreSummary> out;
  for (std::size_t i = 0; i < evaluation.names().size(); ++i) {
    Values restored, input, change;
    for (const FrameResult* frame : good_frames(evaluation)) {
      restored.push_back(frame->scores.restored[i]);
      if (i >= frame->scores.input.size()) continue;
      input.push_back(frame->scores.input[i]);
      change.push_back(change_of(frame->scores)[i]);
    }
    const auto mean = [&](const Values& values) { return metrics::bootstrap_mean(values, bootstrap); };
    out.push_back({mean(restored), mean(input), mean(change)});
  }
  return out;
}

std::string verdict(const ScoreName& name, const ScoreSummary& summary) {
  const bool higher = name.better == app::Better::kHigher;
  if ((!higher && name.better != app::Better::kLower) || summary.change.count < 2) return "";
  if (summary.change.low <= 0 && summary.change.high >= 0) return "not clear";
  return (summary.change.low > 0) == higher ? "better" : "worse";
}

std::string to_csv(const Evaluation& evaluation) {
  std::vector<std::string> header = {"frame", "bits", "range"};
  for (const ScoreName& name : evaluation.names()) header.push_back(name.key);
  for (const char* prefix : {"input_", "d_"})
    for (const ScoreName& name : scores())
      if (evaluation.has_input) header.push_back(prefix + name.key);
  io::CsvTable table(header);
  for (const FrameResult* frame : good_frames(evaluation)) {
    const FrameScores& of = frame->scores;
    std::vector<std::string> row = {frame->pair.name, std::to_string(of.bits), number_text(of.range)};
    const auto add = [&row](const Values& values) {
      for (const double value : values) row.push_back(std::isnan(value) ? std::string() : number_text(value));
    };
    add(of.restored);
    if (evaluation.has_input) {
      add(of.input);
      add(change_of(of));
    }
    table.add(row);
  }
  return table.text();
}

std::string to_json(const Evaluation& evaluation) {
  io::JsonObject facts;
  for (const auto& [name, value] : evaluation.facts) facts.add(name, value);
  const std::vector<ScoreName> names = evaluation.names();
  std::vector<std::string> summary, frames, failures;
  for (std::size_t i = 0; i < evaluation.summary.size(); ++i)
    summary.push_back(json_quoted(names[i].key) + ": " + summary_object(names[i], evaluation.summary[i]));
  for (const FrameResult& frame : evaluation.frames)
    if (frame.pair.problem.empty())
      frames.push_back(frame_object(frame, names));
    else
      failures.push_back(io::JsonObject().add("frame", frame.pair.name).add("reason", frame.pair.problem).line());
  return "{\"made\": " + facts.line() + ",\n\"summary\": {\n" + joined(summary) + "},\n\"frames\": [\n" +
         joined(frames) + "],\n\"failures\": [" + joined(failures) + "]}\n";
}

std::string summary_text(const Evaluation& evaluation) {
  const std::vector<ScoreName> names = evaluation.names();
  const std::size_t count = good_frames(evaluation).size();
  std::vector<std::vector<std::string>> lines = {{std::to_string(count) + (count == 1 ? " frame" : " frames")}};
  if (evaluation.has_input) lines[0].emplace_back("input");
  lines[0].emplace_back("restored");
  if (evaluation.has_input) lines[0].emplace_back("change");
  for (std::size_t i = 0; i < evaluation.summary.size(); ++i) {
    const ScoreName& name = names[i];
    const ScoreSummary& summary = evaluation.summary[i];
    const auto cell = [&](const metrics::MeanInterval& m) {
      return m.count + m.left_out == 0 ? "" : app::interval_text(m, name.decimals);
    };
    std::vector<std::string> line = {name.label + (name.unit.empty() ? "" : ", " + name.unit)};
    if (evaluation.has_input) line.push_back(cell(summary.input));
    line.push_back(cell(summary.restored));
    if (evaluation.has_input) line.push_back(cell(summary.change));
    lines.push_back(std::move(line));
  }
  std::string out;
  for (const std::vector<std::string>& line : lines) {
    std::string text;
    for (const std::string& cell : line) {
      constexpr std::size_t kWidth = 28;
      text += cell + std::string(cell.size() < kWidth ? kWidth - cell.size() : 2, ' ');
    }
    out += text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

}  // namespace reseda::infrared
