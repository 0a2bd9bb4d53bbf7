#include "io/volume/dicom_series.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "io/volume/dicom_file.hpp"
#include "io/volume/dicom_frame.hpp"
#include "io/volume/dicom_pixels.hpp"
#include "io/volume/dicom_tags.hpp"
#include "io/volume/padding.hpp"
#include "io/volume/pixel_codec.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr double kSamePlaceMm = 0.01;

/// Slices of one file, by their places in the stack.
using FileSlices = std::vector<std::size_t>;

std::vector<FileSlices> slices_by_file(const DicomSeries& series) {
  std::vector<FileSlices> files;
  std::map<std::filesystem::path, std::size_t> known;
  for (std::size_t k = 0; k < series.slices.size(); ++k) {
    const auto [at, fresh] = known.emplace(series.slices[k].file, files.size());
    if (fresh) files.emplace_back();
    files[at->second].push_back(k);
  }
  return files;
}

void refuse_problems(const DicomSeries& series, const std::set<Irregular>& accept) {
  for (const StackProblem& problem : series.problems)
    RESEDA_REQUIRE(accept.count(problem.kind) > 0, Errc::kInput, "series ", series.number, " of ",
                   series.slices.front().file.parent_path().string(), ": ", problem.what, " (accept '",
                   irregular_name(problem.kind), "' to go on with the slices as they are)");
}

/// Where values of slices go.
struct Target {
  float* voxels;
  bool* padding;
  std::int64_t slice_pixels;
};

/// @return whether there is padding
bool read_file(const DicomSeries& series, const FileSlices& slices, const Target& target, at::ScalarType stored_type) {
  const detail::DicomFile file = detail::open_dicom(series.slices[slices.front()].file);
  const detail::PixelFormat format = detail::read_pixel_format(file);
  const auto frames = detail::read_frames(file, format);
  const auto padding = detail::read_padding(file, format);
  const detail::PixelReader pixels(file, format);
  std::vector<std::int32_t> stored(static_cast<std::size_t>(target.slice_pixels));
  bool padded = false;
  for (const std::size_t k : slices) {
    const DicomSlice& slice = series.slices[k];
    RESEDA_REQUIRE(slice.frame < format.frames && format.rows == series.rows && format.columns == series.columns &&
                       file.dataset.text(detail::tags::kSopInstanceUid) == slice.sop_instance_uid &&
                       detail::stored_type(format) == stored_type,
                   Errc::kInput, file.name, ": does not fit its series, or has changed");
    pixels.read(slice.frame, stored);
    const detail::DicomFrame& frame = frames[static_cast<std::size_t>(slice.frame)];
    const std::int64_t offset = static_cast<std::int64_t>(k) * target.slice_pixels;
    const std::int32_t mirror = format.lowest() + format.highest();
    for (std::int64_t i = 0; i < target.slice_pixels; ++i) {
      const std::int32_t value = stored[static_cast<std::size_t>(i)];
      target.voxels[offset + i] =
          static_cast<float>(frame.slope * (format.monochrome1 ? mirror - value : value) + frame.intercept);
    }
    if (!padding) continue;
    for (std::int64_t i = 0; i < target.slice_pixels; ++i) {
      target.padding[offset + i] = padding->holds(stored[static_cast<std::size_t>(i)]);
      padded = padded || target.padding[offset + i];
    }
  }
  return padded;
}

}  // namespace

DicomSeries without_repeats(const DicomSeries& series) {
  DicomSeries out = series;
  const std::array<Vector3, 3>& axes = series.geometry.direction;
  const Vector3 row = {axes[0][0], axes[1][0], axes[2][0]}, column = {axes[0][1], axes[1][1], axes[2][1]};
  const Vector3 normal = detail::cross(row, column);
  out.slices.clear();
  std::vector<Vector3> positions;
  for (const DicomSlice& slice : series.slices) {
    if (!positions.empty() &&
        detail::dot(slice.position_mm, normal) - detail::dot(positions.back(), normal) < kSamePlaceMm)
      continue;
    out.slices.push_back(slice);
    positions.push_back(slice.position_mm);
  }
  detail::SliceStack stack =
      detail::stack_slices(positions, {row, column, series.geometry.spacing_mm[1], series.geometry.spacing_mm[0]},
                           series.geometry.spacing_mm[2]);
  out.geometry = stack.geometry;
  out.problems = std::move(stack.problems);
  return out;
}

Volume read_series(const DicomSeries& series, const SeriesReading& reading) {
  RESEDA_INVARIANT(!series.slices.empty());
  refuse_problems(series, reading.accept);
  const auto depth = static_cast<std::int64_t>(series.slices.size());
  RESEDA_REQUIRE(depth <= reading.limits.voxels / (series.rows * series.columns), Errc::kInput,
                 series.slices.front().file.string(), ": ", depth, " x ", series.rows, " x ", series.columns,
                 " voxels are more than the limit of ", reading.limits.voxels);
  const std::vector<FileSlices> files = slices_by_file(series);
  const auto first = detail::read_pixel_format(detail::open_dicom(series.slices.front().file));
  Volume volume;
  volume.geometry = series.geometry;
  volume.stored = detail::stored_type(first);
  volume.metadata = {{"modality", series.modality}, {"units", series.units}};
  volume.even = std::none_of(series.problems.begin(), series.problems.end(),
                             [](const StackProblem& problem) { return problem.kind != Irregular::kTilt; });
  volume.voxels = at::empty({depth, series.rows, series.columns}, at::kFloat);
  volume.padding = at::zeros({depth, series.rows, series.columns}, at::kBool);
  const Target target{volume.voxels.mutable_data_ptr<float>(), volume.padding.mutable_data_ptr<bool>(),
                      series.rows * series.columns};
  const detail::QuietGdcm quiet;
  std::vector<char> padded(files.size(), 0);
  at::parallel_for(0, static_cast<std::int64_t>(files.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto f = static_cast<std::size_t>(begin); f < static_cast<std::size_t>(end); ++f)
      padded[f] = static_cast<char>(read_file(series, files[f], target, volume.stored));
  });
  if (std::count(padded.begin(), padded.end(), 1) == 0) volume.padding.reset();
  return volume;
}

}  // namespace reseda::io
