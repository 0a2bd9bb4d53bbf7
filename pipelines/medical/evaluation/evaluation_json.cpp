#include "pipelines/medical/evaluation/evaluation_json.hpp"

#include <cmath>

#include "io/record/json_lines.hpp"
#include "modules/core/config.hpp"

namespace reseda::medical {
namespace {

std::string joined(const std::vector<std::string>& lines, const char* between = ",\n") {
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i) out += (i ? between : "") + lines[i];
  return out;
}

std::string list_of(const std::vector<double>& values) {
  std::vector<std::string> out;
  for (const double value : values) out.push_back(std::isfinite(value) ? number_text(value) : "null");
  return "[" + joined(out, ", ") + "]";
}

const char* kind_name(ScanKind kind) { return kind == ScanKind::kCt ? "ct" : "other"; }

/// An object of named JSON values.
std::string object_of(const std::vector<std::pair<std::string, std::string>>& fields, const char* between = ", ") {
  std::vector<std::string> out;
  for (const auto& [key, json] : fields) out.push_back(json_quoted(key) + ": " + json);
  return "{" + joined(out, between) + "}";
}

std::string definition(const ScoreName& name) {
  return io::JsonObject()
      .add("label", name.label)
      .add("unit", name.unit)
      .add("better", app::better_name(name.better))
      .add("metric", name.metric)
      .add("range", name.range)
      .add("window", name.window)
      .add("mask", name.mask)
      .line();
}

std::string noise(const ImageNoise& image) {
  const metrics::NoiseLevel& level = image.level;
  std::vector<std::pair<std::string, std::string>> fields = {{"estimate", io::JsonObject()
                                                                              .add("sigma", level.sigma)
                                                                              .add("low", level.low)
                                                                              .add("high", level.high)
                                                                              .add("patches", level.patches)
                                                                              .add("site", noise_site_name(level.site))
                                                                              .line()}};
  if (image.spectrum.patches > 0) {
    fields.emplace_back("frequency", list_of(image.spectrum.frequency));
    fields.emplace_back("power", list_of(image.spectrum.power));
    fields.emplace_back("patches", std::to_string(image.spectrum.patches));
  }
  return object_of(fields);
}

std::string scan_object(const ScanResult& scan) {
  io::JsonObject compared;
  compared.add("name", scan.pair.name)
      .add("reference", scan.pair.reference.string())
      .add("restored", scan.pair.restored.string());
  if (!scan.pair.input.empty()) compared.add("input", scan.pair.input.string());
  const ScanScores& scores = scan.scores;
  std::vector<double> size(scores.size.begin(), scores.size.end());
  std::vector<std::string> notes;
  for (const std::string& note : scores.notes) notes.push_back(json_quoted(note));
  std::vector<std::pair<std::string, std::string>> fields = {
      {"compared", compared.line()},
      {"kind", json_quoted(kind_name(scores.kind))},
      {"slices_rows_columns", list_of(size)},
      {"geometry_difference", scores.geometry ? io::JsonObject()
                                                    .add("position_mm", scores.geometry->position_mm)
                                                    .add("orientation", scores.geometry->orientation)
                                                    .add("spacing_mm", scores.geometry->spacing_mm)
                                                    .line()
                                              : "null"},
      {"noise_reference", noise(scores.reference)},
      {"noise_restored", noise(scores.restored)}};
  if (scores.input) fields.emplace_back("noise_input", noise(*scores.input));
  fields.emplace_back("notes", "[" + joined(notes, ", ") + "]");
  return object_of(fields, ",\n ");
}

std::vector<std::string> slice_objects(const ScanResult& scan) {
  std::vector<std::string> out;
  const std::vector<ScoreName>& names = scores_of(scan.scores.kind);
  for (const SliceScores& slice : scan.scores.slices) {
    io::JsonObject object;
    object.add("scan", scan.pair.name).add("slice", slice.slice);
    for (std::size_t i = 0; i < names.size(); ++i) object.add(names[i].key, slice.restored[i]);
    for (std::size_t i = 0; i < slice.input.size(); ++i) object.add("input_" + names[i].key, slice.input[i]);
    out.push_back(object.line());
  }
  return out;
}

}  // namespace

std::string to_json(const Evaluation& evaluation, const std::vector<KindSummary>& summary) {
  io::JsonObject facts;
  for (const auto& [name, value] : evaluation.facts) facts.add(name, value);
  std::vector<std::pair<std::string, std::string>> kinds;
  for (const KindSummary& kind : summary) {
    std::vector<std::pair<std::string, std::string>> scores;
    for (const ScoreSummary& score : kind.scores) {
      std::vector<std::pair<std::string, std::string>> fields = {{"definition", definition(*score.name)},
                                                                 {"restored", app::interval_json(score.restored)}};
      if (has_input(evaluation))
        fields.insert(fields.end(),
                      {{"input", app::interval_json(score.input)}, {"change", app::interval_json(score.change)}});
      scores.emplace_back(score.name->key, object_of(fields, ",\n  "));
    }
    kinds.emplace_back(kind_name(kind.kind), object_of(scores, ",\n "));
  }
  std::vector<std::string> scans, slices, failures;
  for (const ScanResult& scan : evaluation.scans) {
    if (!scan.problem.empty()) {
      failures.push_back(io::JsonObject().add("scan", scan.pair.name).add("reason", scan.problem).line());
      continue;
    }
    scans.push_back(scan_object(scan));
    const std::vector<std::string> rows = slice_objects(scan);
    slices.insert(slices.end(), rows.begin(), rows.end());
  }
  return "{\"made\": " + facts.line() + ",\n\"summary\": " + object_of(kinds, ",\n ") + ",\n\"scans\": [\n" +
         joined(scans) + "],\n\"slices\": [\n" + joined(slices) + "],\n\"failures\": [" + joined(failures) + "]}\n";
}

}  // namespace reseda::medical
