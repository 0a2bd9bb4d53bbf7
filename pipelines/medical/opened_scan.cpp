#include "pipelines/medical/opened_scan.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <set>

#include "modules/core/byte_size.hpp"
#include "modules/core/error.hpp"
#include "modules/core/log.hpp"

namespace reseda::medical {
namespace {

/// What a person can do about it.
const char* advice_on(io::Irregular kind) {
  return kind == io::Irregular::kRepeated ? "; remove the copies, or choose other series with --series"
                                          : "; it cannot be stacked, choose other series with --series";
}

io::Volume read_scan(const Scan& scan, const RestoreRequest& request) {
  if (!scan.series) return io::read_volume(scan.input.path);
  static const std::set<io::Irregular> harmless = {io::Irregular::kTilt, io::Irregular::kUneven,
                                                   io::Irregular::kMissing};
  for (const io::StackProblem& problem : scan.series->problems) {
    RESEDA_REQUIRE(request.task != "sr-through", Errc::kInput, scan.input.id, ": ", problem.what,
                   "; sr-through needs slices at equal distances without tilt");
    RESEDA_REQUIRE(harmless.count(problem.kind) > 0, Errc::kInput, scan.input.id, " in ", scan.input.path.string(),
                   ": ", problem.what, advice_on(problem.kind));
    log::warning(scan.input.id, ": ", problem.what, "; its slices are restored as they are");
  }
  return io::read_series(*scan.series, {.accept = harmless, .limits = {}});
}

/// Where two grids put a voxel, in millimetres.
io::Vector3 place(const io::VolumeGeometry& geometry, const std::array<double, 3>& whd) {
  io::Vector3 point = geometry.origin_mm;
  for (std::size_t row = 0; row < 3; ++row)
    for (std::size_t axis = 0; axis < 3; ++axis)
      point[row] += geometry.direction[row][axis] * geometry.spacing_mm[axis] * whd[axis];
  return point;
}

/// That a mask's voxels are the volume's.
void check_grid(const io::Volume& mask, const io::Volume& volume, const std::string& name) {
  RESEDA_REQUIRE(mask.voxels.sizes() == volume.voxels.sizes(), Errc::kInput, name, ": the mask is ",
                 mask.voxels.sizes(), ", the volume ", volume.voxels.sizes());
  const double least = *std::min_element(volume.geometry.spacing_mm.begin(), volume.geometry.spacing_mm.end());
  for (int corner = 0; corner < 8; ++corner) {
    std::array<double, 3> whd{};
    for (std::size_t axis = 0; axis < 3; ++axis)
      whd[axis] = (corner >> axis & 1) != 0
                      ? static_cast<double>(volume.voxels.size(2 - static_cast<std::int64_t>(axis)) - 1)
                      : 0.0;
    const io::Vector3 a = place(mask.geometry, whd), b = place(volume.geometry, whd);
    const double apart = std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
    RESEDA_REQUIRE(apart < 0.5 * least, Errc::kInput, name, ": the mask lies elsewhere than the volume, corners are ",
                   apart, " mm apart");
  }
}

}  // namespace

std::array<std::int64_t, 3> scan_size(const Scan& scan) {
  if (!scan.series) return io::read_volume_size(scan.input.path);
  return {static_cast<std::int64_t>(scan.series->slices.size()), scan.series->rows, scan.series->columns};
}

OpenedScan open_scan(const Scan& scan, const RestoreRequest& request) {
  const std::array<std::int64_t, 3> size = scan_size(scan);
  RESEDA_REQUIRE(request.slices.first <= size[0], Errc::kUsage, scan.input.id, ": has ", size[0],
                 " slices, --slices begins at ", request.slices.first);
  const std::int64_t needed = memory_needed(size, request);
  RESEDA_REQUIRE(request.max_memory == 0 || needed <= request.max_memory, Errc::kUsage, scan.input.id, ": needs ",
                 bytes_text(needed), ", more than --max-memory ", bytes_text(request.max_memory));
  RESEDA_REQUIRE(request.task != "sr-through" || size[0] > 1, Errc::kInput, scan.input.id,
                 ": is a single slice; sr-through needs several");
  OpenedScan opened;
  opened.volume = read_scan(scan, request);
  const auto known = request.modality ? request.modality
                     : scan.series    ? find_modality(scan.series->modality)
                                      : std::nullopt;
  opened.modality = known ? *known : guess_modality(opened.volume.voxels);
  if (!known)
    log::info(scan.input.id, ": taken for ", modality_name(opened.modality),
              " by its values; --modality says otherwise");
  const auto units = opened.volume.metadata.find("units");
  opened.units = opened.modality == Modality::kCt ? "HU" : "stored units";
  if (scan.series && units != opened.volume.metadata.end() && !units->second.empty()) opened.units = units->second;
  if (!request.mask.empty()) {
    const io::Volume mask = io::read_volume(request.mask);
    check_grid(mask, opened.volume, request.mask.string());
    opened.mask = mask.voxels != 0;
    const at::Tensor chosen = opened.mask.slice(0, request.slices.first - 1, request.slices.last);
    RESEDA_REQUIRE(chosen.any().item<bool>(), Errc::kInput, request.mask.string(),
                   ": the mask is 0 wherever the volume would be restored");
  }
  return opened;
}

io::VolumeGeometry refined(const io::VolumeGeometry& geometry, const io::Refinement& refinement) {
  io::VolumeGeometry out = geometry;
  const std::array<std::int64_t, 3> factors = {refinement.pixels, refinement.pixels, refinement.slices};
  std::array<double, 3> whd{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto factor = static_cast<double>(factors[axis]);
    whd[axis] = (1 / factor - 1) / 2;
    out.spacing_mm[axis] /= factor;
  }
  out.origin_mm = place(geometry, whd);
  return out;
}

}  // namespace reseda::medical
