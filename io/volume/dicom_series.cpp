#include "io/volume/dicom_series.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <utility>

#include "io/volume/dicom_file.hpp"
#include "io/volume/dicom_frame.hpp"
#include "io/volume/dicom_pixels.hpp"
#include "io/volume/padding.hpp"
#include "io/volume/pixel_codec.hpp"
#include "io/volume/series_files.hpp"
#include "io/volume/slice_values.hpp"
#include "io/volume/voxel_memory.hpp"
#include "modules/core/error.hpp"
#include "modules/core/parallel.hpp"

namespace reseda::io {
namespace {

constexpr double kSamePlaceMm = 0.01;

void refuse_problems(const DicomSeries& series, const std::set<Irregular>& accept) {
  for (const StackProblem& problem : series.problems)
    RESEDA_REQUIRE(accept.count(problem.kind) > 0, Errc::kInput, "series ", series.number, " of ",
                   series.slices.front().file.parent_path().string(), ": ", problem.what, " (accept '",
                   irregular_name(problem.kind), "' to go on with the slices as they are)");
}

/// What reading a file showed.
struct ReadFacts {
  std::vector<std::pair<std::size_t, at::Tensor>> padding;  ///< slices that have any, and where: [H,W] bool
  bool whole = true;                                        ///< scales are whole numbers
  double low = 0, high = 0;                                 ///< what values its bits and scales could give
};

at::Tensor padding_of(const detail::Samples& samples, const detail::PixelFormat& format,
                      const detail::PixelPadding& padding) {
  std::vector<std::int32_t> stored(format.frame_pixels());
  detail::unpack_samples(samples, format, 0, stored);
  at::Tensor mask = at::empty({format.rows, format.columns}, at::kBool);
  bool* padded = mask.mutable_data_ptr<bool>();
  for (std::size_t i = 0; i < stored.size(); ++i) padded[i] = padding.holds(stored[i]);
  return mask;
}

/// Reads the slices of one file into their places of the volume.
ReadFacts read_file(const DicomSeries& series, const detail::FileSlices& slices, float* voxels) {
  const detail::DicomFile file = detail::open_dicom(series.slices[slices.front()].file);
  const detail::PixelFormat format = detail::read_pixel_format(file);
  const auto frames = detail::read_frames(file, format);
  const auto padding = detail::read_padding(file, format);
  const detail::PixelReader pixels(file, format);
  const std::size_t count = format.frame_pixels();
  std::string decoded;
  ReadFacts facts;
  for (const std::size_t k : slices) {
    const DicomSlice& slice = series.slices[k];
    detail::check_slice(file, format, series, slice);
    const detail::Samples samples = pixels.read(slice.frame, decoded);
    const detail::DicomFrame& frame = frames[static_cast<std::size_t>(slice.frame)];
    const std::span<float> place(voxels + k * count, count);
    detail::populate(place);
    if (detail::rescale(samples, frame, format, padding ? &*padding : nullptr, place))
      facts.padding.emplace_back(k, padding_of(samples, format, *padding));
    const double a = frame.slope * format.lowest() + frame.intercept;
    const double b = frame.slope * format.highest() + frame.intercept;
    facts.low = std::min({facts.low, a, b});
    facts.high = std::max({facts.high, a, b});
    facts.whole =
        facts.whole && frame.slope == std::floor(frame.slope) && frame.intercept == std::floor(frame.intercept);
  }
  return facts;
}

/// The smallest type for what bits and scales could give; where 16 bits are not enough for that, for what they do give.
at::ScalarType type_of_values(const std::vector<ReadFacts>& files, const at::Tensor& voxels) {
  double low = 0, high = 0;
  for (const ReadFacts& facts : files) {
    if (!facts.whole) return at::kFloat;
    low = std::min(low, facts.low);
    high = std::max(high, facts.high);
  }
  if (low >= 0 && high <= 255) return at::kByte;
  if (low >= -32768 && high <= 32767) return at::kShort;
  if (low >= 0 && high <= 65535) return at::kUInt16;
  const auto [least, most] = at::aminmax(voxels);
  return least.item<float>() >= -32768 && most.item<float>() <= 32767 ? at::kShort : at::kInt;
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
  const std::vector<detail::FileSlices> files = detail::slices_by_file(series);
  Volume volume;
  volume.geometry = series.geometry;
  volume.metadata = {{"modality", series.modality}, {"units", series.units}};
  volume.even = std::none_of(series.problems.begin(), series.problems.end(),
                             [](const StackProblem& problem) { return problem.kind != Irregular::kTilt; });
  volume.voxels = at::empty({depth, series.rows, series.columns}, at::kFloat);
  float* voxels = volume.voxels.mutable_data_ptr<float>();
  const detail::QuietGdcm quiet;
  std::vector<ReadFacts> facts(files.size());
  parallel_for(0, static_cast<std::int64_t>(files.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto f = static_cast<std::size_t>(begin); f < static_cast<std::size_t>(end); ++f)
      facts[f] = read_file(series, files[f], voxels);
  });
  volume.stored = type_of_values(facts, volume.voxels);
  for (const ReadFacts& file : facts)
    for (const auto& [k, mask] : file.padding) {
      if (!volume.padding.defined()) volume.padding = at::zeros(volume.voxels.sizes(), at::kBool);
      volume.padding[static_cast<std::int64_t>(k)].copy_(mask);
    }
  return volume;
}

}  // namespace reseda::io
