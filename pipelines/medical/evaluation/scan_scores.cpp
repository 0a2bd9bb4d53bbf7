#include "pipelines/medical/evaluation/scan_scores.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "modules/core/error.hpp"

namespace reseda::medical {
namespace {

std::string shape_text(const at::Tensor& voxels) {
  std::ostringstream out;
  out << voxels.size(0) << " x " << voxels.size(1) << " x " << voxels.size(2);
  return out.str();
}

/// Whether the noise is that of a magnitude: of MR, and of what may be MR.
bool is_magnitude(const ComparedScan& reference, ScanKind kind) {
  return kind == ScanKind::kOther && (reference.modality.empty() || reference.modality == "MR");
}

metrics::NoiseLevel noise_of(const at::Tensor& voxels, bool magnitude) {
  const at::Tensor known = at::isfinite(voxels).flatten(1).all(1);
  const at::Tensor slices = voxels.index({known});
  if (slices.size(0) == 0 || std::min(slices.size(1), slices.size(2)) < 16)
    return {.sigma = std::numeric_limits<double>::quiet_NaN(),
            .low = std::numeric_limits<double>::quiet_NaN(),
            .high = std::numeric_limits<double>::quiet_NaN()};
  // Padding of CT outside the field of view becomes air.
  return magnitude ? metrics::rician_noise_level(slices) : metrics::gaussian_noise_level(slices.clamp_min(-1024));
}

/// Noise of an image and the spectrum of its error over the slices that were scored.
ImageNoise image_noise(const ComparedScan& image, const ScanTriple& triple, const at::Tensor& masks,
                       const at::Tensor& scored, const SliceContext& context) {
  const at::Tensor reference = triple.reference.voxels.index_select(0, scored);
  return {.level = noise_of(image.voxels, is_magnitude(triple.reference, context.kind)),
          .spectrum = metrics::noise_power_spectrum(image.voxels.index_select(0, scored) - reference, reference, masks,
                                                    context.spacing)};
}

void compare_geometry(ScanScores& out, const ScanTriple& triple) {
  if (!triple.reference.geometry || !triple.restored.geometry) {
    out.notes.push_back("A bare array has no geometry: where the slices lie was not compared.");
    return;
  }
  out.geometry = geometry_difference(*triple.reference.geometry, *triple.restored.geometry);
  if (out.geometry->position_mm > 0.01 || out.geometry->spacing_mm > 0.001 || out.geometry->orientation > 1e-4)
    out.notes.push_back("The restored slices do not lie where the reference's do; slices were compared by number.");
}

}  // namespace

ScanTriple read_triple(const ScanPair& pair) {
  ScanTriple out{.reference = read_compared_scan(pair.reference),
                 .restored = read_compared_scan(pair.restored),
                 .input = {},
                 .notes = {}};
  const at::Tensor& reference = out.reference.voxels;
  RESEDA_REQUIRE(out.restored.voxels.sizes() == reference.sizes(), Errc::kInput, pair.restored.string(), ": ",
                 shape_text(out.restored.voxels), " voxels, the reference has ", shape_text(reference));
  RESEDA_REQUIRE(at::isfinite(reference).all().item<bool>(), Errc::kInput, pair.reference.string(),
                 ": NaN or infinite values");
  out.notes = out.reference.notes;
  if (pair.input.empty()) return out;
  ComparedScan input = read_compared_scan(pair.input);
  if (input.voxels.sizes() == reference.sizes())
    out.input = std::move(input);
  else
    out.notes.push_back(pair.input.string() + ": " + shape_text(input.voxels) + " voxels, the reference has " +
                        shape_text(reference) + "; the input was not scored.");
  return out;
}

ScanKind kind_of(const ComparedScan& reference, const std::string& asked) {
  if (asked != "auto") return asked == "ct" ? ScanKind::kCt : ScanKind::kOther;
  if (!reference.modality.empty()) return reference.modality == "CT" ? ScanKind::kCt : ScanKind::kOther;
  return reference.voxels.min().item<double>() < -500 ? ScanKind::kCt : ScanKind::kOther;
}

SliceContext context_of(const ScanTriple& triple, ScanKind kind) {
  const ComparedScan& reference = triple.reference;
  SliceContext out{.kind = kind, .peak = reference.voxels.max().item<double>()};
  if (kind == ScanKind::kOther) {
    RESEDA_REQUIRE(out.peak > 0, Errc::kInput, "the reference's maximum is ", out.peak,
                   ", but it is the range of PSNR and SSIM and must be > 0");
    out.object = 0.1 * percentile(reference.voxels, 99);
  }
  const std::optional<ScanGeometry>& geometry = reference.geometry ? reference.geometry : triple.restored.geometry;
  if (geometry) {
    out.spacing = geometry->pixel;
    out.spacing_known = true;
  }
  return out;
}

ScanScores score_scan(const ScanPair& pair, const std::string& kind, const std::function<void()>& between) {
  const ScanTriple triple = read_triple(pair);
  ScanScores out;
  out.kind = kind_of(triple.reference, kind);
  out.size = triple.reference.voxels.sizes().vec();
  out.notes = triple.notes;
  const SliceContext context = context_of(triple, out.kind);
  out.spacing_known = context.spacing_known;
  std::vector<at::Tensor> masks;
  std::vector<std::int64_t> scored;
  for (std::int64_t k = 0; k < out.size[0]; ++k) {
    between();
    const at::Tensor reference = triple.reference.voxels[k], restored = triple.restored.voxels[k];
    if (at::isnan(restored).all().item<bool>()) continue;
    SliceScores scores{.slice = k, .restored = {}, .input = {}};
    const at::Tensor input = triple.input ? triple.input->voxels[k] : at::Tensor();
    scores.restored = score_slice(reference, restored, input.defined() ? input - restored : input, context);
    if (input.defined()) scores.input = score_slice(reference, input, input - reference, context);
    masks.push_back(object_mask(reference, context));
    scored.push_back(k);
    out.slices.push_back(std::move(scores));
  }
  RESEDA_REQUIRE(!scored.empty(), Errc::kInput, pair.restored.string(), ": NaN throughout");
  if (const std::size_t left = static_cast<std::size_t>(out.size[0]) - scored.size(); left > 0)
    out.notes.push_back(std::to_string(left) + " slices are NaN throughout and were passed over.");
  compare_geometry(out, triple);
  const at::Tensor stacked = at::stack(masks), slices = at::tensor(scored, at::kLong);
  out.reference.level = noise_of(triple.reference.voxels, is_magnitude(triple.reference, out.kind));
  out.restored = image_noise(triple.restored, triple, stacked, slices, context);
  if (triple.input) out.input = image_noise(*triple.input, triple, stacked, slices, context);
  return out;
}

}  // namespace reseda::medical
