#include "pipelines/medical/evaluation/compared_scan.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

#include "io/array/npy.hpp"
#include "io/volume/dicom_series.hpp"
#include "io/volume/volume.hpp"
#include "modules/core/error.hpp"

namespace reseda::medical {
namespace {

namespace fs = std::filesystem;

ComparedScan read_array(const fs::path& file) {
  at::Tensor array;
  if (file.extension() == ".npy") {
    array = io::read_npy(file);
  } else {
    const std::map<std::string, at::Tensor> arrays = io::read_npz(file);
    RESEDA_REQUIRE(arrays.size() == 1, Errc::kInput, file.string(), ": ", arrays.size(), " arrays, expected one");
    array = arrays.begin()->second;
  }
  RESEDA_REQUIRE(!array.is_complex() && (array.dim() == 2 || array.dim() == 3) && array.numel() > 0, Errc::kInput,
                 file.string(), ": expected a real array of slices, rows and columns, got ", array.sizes());
  if (array.dim() == 2) array = array.unsqueeze(0);
  return {.voxels = array.to(at::kFloat), .geometry = {}, .modality = "", .units = "", .notes = {}};
}

ScanGeometry geometry_of(const io::VolumeGeometry& volume, std::int64_t depth) {
  const auto axis = [&](std::size_t i) {
    return io::Vector3{volume.direction[0][i], volume.direction[1][i], volume.direction[2][i]};
  };
  const io::Vector3 step = axis(2);
  ScanGeometry out{
      .positions = {}, .row = axis(0), .column = axis(1), .pixel = {volume.spacing_mm[1], volume.spacing_mm[0]}};
  for (std::int64_t k = 0; k < depth; ++k) {
    const double way = static_cast<double>(k) * volume.spacing_mm[2];
    out.positions.push_back({volume.origin_mm[0] + way * step[0], volume.origin_mm[1] + way * step[1],
                             volume.origin_mm[2] + way * step[2]});
  }
  return out;
}

ComparedScan read_dicom(const fs::path& place) {
  const io::DicomListing listing = io::find_series(place);
  const io::DicomSeries& series = io::choose_series(listing, "", place.string());
  io::SeriesReading reading;
  reading.accept = {io::Irregular::kTilt, io::Irregular::kUneven, io::Irregular::kMissing};
  ComparedScan scan{.voxels = io::read_series(series, reading).voxels,
                    .geometry = geometry_of(series.geometry, 0),
                    .modality = series.modality,
                    .units = series.units,
                    .notes = {}};
  for (const io::DicomSlice& slice : series.slices) scan.geometry->positions.push_back(slice.position_mm);
  for (const io::StackProblem& problem : series.problems)
    scan.notes.push_back(place.string() + ": " + problem.what + "; compared slice by slice as they are.");
  return scan;
}

void widen(double& most, const io::Vector3& a, const io::Vector3& b) {
  for (std::size_t i = 0; i < 3; ++i) most = std::max(most, std::abs(a[i] - b[i]));
}

}  // namespace

ComparedScan read_compared_scan(const fs::path& place) {
  RESEDA_REQUIRE(fs::exists(place), Errc::kInput, place.string(), ": no such file or folder");
  std::string name = place.filename().string();
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  if (fs::is_directory(place)) return read_dicom(place);
  if (name.ends_with(".npy") || name.ends_with(".npz")) return read_array(place);
  if (io::volume_extension(place).empty()) return read_dicom(place);
  const io::Volume volume = io::read_volume(place);
  return {.voxels = volume.voxels,
          .geometry = geometry_of(volume.geometry, volume.voxels.size(0)),
          .modality = "",
          .units = "",
          .notes = {}};
}

double percentile(const at::Tensor& voxels, double percent) {
  const at::Tensor flat = voxels.flatten();
  const double place = percent / 100 * static_cast<double>(flat.numel() - 1);
  const auto below = static_cast<std::int64_t>(place);
  const auto value = [&](std::int64_t rank) { return std::get<0>(flat.kthvalue(rank + 1)).item<double>(); };
  return std::lerp(value(below), value(std::min(below + 1, flat.numel() - 1)), place - std::floor(place));
}

GeometryDifference geometry_difference(const ScanGeometry& a, const ScanGeometry& b) {
  RESEDA_INVARIANT(a.positions.size() == b.positions.size());
  GeometryDifference out;
  for (std::size_t k = 0; k < a.positions.size(); ++k) widen(out.position_mm, a.positions[k], b.positions[k]);
  widen(out.orientation, a.row, b.row);
  widen(out.orientation, a.column, b.column);
  out.spacing_mm = std::max(std::abs(a.pixel[0] - b.pixel[0]), std::abs(a.pixel[1] - b.pixel[1]));
  return out;
}

}  // namespace reseda::medical
