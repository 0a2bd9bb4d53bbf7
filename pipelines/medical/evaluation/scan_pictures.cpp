#include "pipelines/medical/evaluation/scan_pictures.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "pipelines/common/score_text.hpp"

namespace reseda::medical {
namespace {

GrayWindow window_of(const at::Tensor& reference, ScanKind kind) {
  if (kind == ScanKind::kCt) return {-160, 240};
  return {0, std::max(percentile(reference, 99.5), 1e-6)};
}

/// A window around zero with round ends.
GrayWindow residual_window(const at::Tensor& residual) {
  const double most = percentile(residual.abs(), 99.5);
  if (!(most > 0)) return {-1, 1};
  const double unit = std::pow(10.0, std::floor(std::log10(most)) - 1), end = std::ceil(most / unit) * unit;
  return {-end, end};
}

std::string caption_of(const SliceScores& slice, ScanKind kind, const std::string& rank) {
  const std::vector<ScoreName>& names = scores_of(kind);
  std::string out = "Slice " + std::to_string(slice.slice) + " (" + rank + "): ";
  const std::size_t shown = kind == ScanKind::kCt ? 5 : 4;
  for (std::size_t i = 0; i < shown; ++i) {
    const auto text = [&](double value) { return app::fixed_text(value, names[i].decimals); };
    out += (i ? "; " : "") + names[i].label + " " + (slice.input.empty() ? "" : text(slice.input[i]) + " to ") +
           text(slice.restored[i]) + (names[i].unit.empty() ? "" : " " + names[i].unit);
  }
  return out;
}

}  // namespace

std::vector<SliceRow> draw_slices(const ScanResult& scan, const std::optional<GrayWindow>& window) {
  const ScanTriple triple = read_triple(scan.pair);
  const ScanKind kind = scan.scores.kind;
  const SliceContext context = context_of(triple, kind);
  const GrayWindow shown = window.value_or(window_of(triple.reference.voxels, kind));
  const std::string unit = kind == ScanKind::kCt ? "HU" : "";
  const std::vector<std::size_t> slices = shown_slices(scan.scores);
  std::vector<SliceRow> rows;
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const SliceScores& scores = scan.scores.slices[slices[i]];
    const char* rank = i == 0 ? "worst" : i + 1 == slices.size() ? "best" : "median";
    SliceRow row{.caption = caption_of(scores, kind, slices.size() == 1 ? "the only one" : rank), .pictures = {}};
    const auto add = [&](const std::string& name, const at::Tensor& slice, const GrayWindow& gray) {
      row.pictures.push_back({slice_png(slice, gray, context.spacing), name + ", " + gray.text(unit)});
    };
    const at::Tensor reference = triple.reference.voxels[scores.slice], restored = triple.restored.voxels[scores.slice];
    const at::Tensor input = triple.input ? triple.input->voxels[scores.slice] : at::Tensor();
    if (input.defined()) add("input", input, shown);
    add("restored", restored, shown);
    add("reference", reference, shown);
    const at::Tensor residual = input.defined() ? input - restored : restored - reference;
    add(input.defined() ? "input - restored" : "restored - reference", residual, residual_window(residual));
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace reseda::medical
