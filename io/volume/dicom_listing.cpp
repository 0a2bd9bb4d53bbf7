#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <sstream>
#include <utility>

#include "io/volume/dicom_file.hpp"
#include "io/volume/dicom_frame.hpp"
#include "io/volume/dicom_pixels.hpp"
#include "io/volume/dicom_series.hpp"
#include "io/volume/dicom_tags.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

namespace tags = detail::tags;

constexpr double kSamePlaceMm = 0.01;
/// What tells volumes of one series apart where positions repeat.
constexpr std::array<const char*, 5> kParts = {"time", "echo time", "b-value", "acquisition", "trigger time"};

/// What slices of one file have in common.
struct FileFacts {
  std::filesystem::path file;
  std::string study_uid, series_uid, sop_instance_uid, modality, description;
  std::string patient;  ///< name and ID: slices of two patients are never one volume, whatever their UIDs
  std::int64_t number = 0, rows = 0, columns = 0;
  bool monochrome1 = false;
};

struct Candidate {
  std::shared_ptr<const FileFacts> facts;
  detail::DicomFrame frame;
  Vector3 position() const { return frame.position_mm.value_or(Vector3{}); }
};
using Candidates = std::vector<Candidate>;

std::string mark_of(const Candidate& slice, const char* name) {
  const auto found = slice.frame.marks.find(name);
  return found == slice.frame.marks.end() ? std::string() : found->second;
}

/// Equal for slices that may be stacked.
std::string key_of(const Candidate& slice) {
  const FileFacts& facts = *slice.facts;
  const detail::SlicePlane& plane = slice.frame.plane;
  std::ostringstream key;
  key << facts.study_uid << '|' << facts.series_uid << '|' << facts.rows << '|' << facts.columns << '|'
      << facts.monochrome1 << '|' << facts.patient << '|' << mark_of(slice, "type") << '|' << mark_of(slice, "stack");
  for (const Vector3& axis : {plane.row, plane.column})
    for (const double cosine : axis) key << '|' << std::lround(cosine * 1e4);
  key << '|' << std::lround(plane.row_spacing_mm * 1e4) << '|' << std::lround(plane.column_spacing_mm * 1e4);
  if (!slice.frame.position_mm) key << '|' << facts.file;
  return key.str();
}

std::size_t repeats(const Candidates& slices) {
  const detail::SlicePlane& plane = slices.front().frame.plane;
  const Vector3 normal = detail::cross(plane.row, plane.column);
  std::vector<double> depths;
  for (const Candidate& slice : slices) depths.push_back(detail::dot(slice.position(), normal));
  std::sort(depths.begin(), depths.end());
  std::size_t count = 0;
  for (std::size_t k = 1; k < depths.size(); ++k) count += depths[k] - depths[k - 1] < kSamePlaceMm;
  return count;
}

/// Divides slices whose positions repeat by the first mark that makes fewer repeat, and the parts by the next ones.
void divide(Candidates slices, std::size_t first_mark, const std::string& part,
            std::vector<std::pair<std::string, Candidates>>& parts) {
  const std::size_t before = slices.front().frame.position_mm ? repeats(slices) : 0;
  for (std::size_t m = first_mark; before > 0 && m < kParts.size(); ++m) {
    std::map<std::string, Candidates> groups;
    for (const Candidate& slice : slices) groups[mark_of(slice, kParts[m])].push_back(slice);
    std::size_t after = 0;
    for (const auto& [value, group] : groups) after += repeats(group);
    if (after == before) continue;
    for (auto& [value, group] : groups)
      divide(std::move(group), m + 1, part + (part.empty() ? "" : ", ") + kParts[m] + " " + value, parts);
    return;
  }
  parts.emplace_back(part, std::move(slices));
}

DicomSeries series_of(const Candidates& candidates, const std::string& part) {
  const FileFacts& facts = *candidates.front().facts;
  const detail::DicomFrame& first = candidates.front().frame;
  DicomSeries series;
  series.study_uid = facts.study_uid;
  series.series_uid = facts.series_uid;
  series.modality = facts.modality;
  series.description = facts.description;
  series.part = part;
  series.units = first.units;
  series.number = facts.number;
  series.rows = facts.rows;
  series.columns = facts.columns;
  std::vector<Vector3> positions;
  for (const Candidate& candidate : candidates) positions.push_back(candidate.position());
  if (!first.position_mm && candidates.size() > 1) {
    // One after the other, as far apart as the file says.
    const Vector3 normal = detail::cross(first.plane.row, first.plane.column);
    for (std::size_t k = 0; k < positions.size(); ++k)
      for (std::size_t axis = 0; axis < 3; ++axis)
        positions[k][axis] = normal[axis] * first.thickness_mm * static_cast<double>(k);
  }
  detail::SliceStack stack = detail::stack_slices(positions, first.plane, first.thickness_mm);
  series.geometry = stack.geometry;
  series.problems = std::move(stack.problems);
  if (!first.position_mm && candidates.size() > 1) {
    StackProblem& problem = series.problems.emplace_back();
    problem.kind = Irregular::kUnpositioned;
    problem.what = "its frames have no positions";
  }
  for (const std::size_t k : stack.order) {
    const Candidate& slice = candidates[k];
    series.slices.push_back({slice.facts->file, slice.frame.index, slice.facts->sop_instance_uid, positions[k]});
  }
  return series;
}

void look_into(const std::filesystem::path& path, Candidates& candidates, DicomListing& listing) {
  try {
    if (!detail::is_dicom(path)) return;
    const detail::DicomFile file = detail::open_dicom(path);
    if (!file.has_pixels && !file.dataset.has(tags::kRows)) {
      listing.other.push_back(path);
      return;
    }
    const detail::PixelFormat format = detail::read_pixel_format(file);
    FileFacts facts;
    facts.file = path;
    facts.study_uid = file.dataset.text(tags::kStudyInstanceUid);
    facts.series_uid = file.dataset.text(tags::kSeriesInstanceUid);
    facts.sop_instance_uid = file.dataset.text(tags::kSopInstanceUid);
    facts.patient = file.dataset.text(tags::kPatientId) + "|" + file.dataset.text(tags::kPatientName);
    facts.modality = file.dataset.text(tags::kModality);
    facts.description = file.dataset.text(tags::kSeriesDescription);
    facts.number = static_cast<std::int64_t>(file.dataset.number(tags::kSeriesNumber).value_or(0));
    facts.rows = format.rows;
    facts.columns = format.columns;
    facts.monochrome1 = format.monochrome1;
    const auto shared = std::make_shared<const FileFacts>(std::move(facts));
    for (detail::DicomFrame& frame : detail::read_frames(file, format))
      candidates.push_back({shared, std::move(frame)});
  } catch (const Error& error) {
    listing.unreadable.emplace_back(error.what());
  }
}

std::vector<std::filesystem::path> files_of(const std::filesystem::path& place) {
  std::error_code failure;
  if (!std::filesystem::is_directory(place, failure)) return {place};
  std::vector<std::filesystem::path> files;
  // Links to folders are not followed, so that none is walked in circles.
  std::filesystem::recursive_directory_iterator entry(place, failure);
  for (; !failure && entry != std::filesystem::end(entry); entry.increment(failure)) {
    std::error_code broken_link;
    if (entry->is_regular_file(broken_link)) files.push_back(entry->path());
  }
  RESEDA_REQUIRE(!failure, Errc::kInput, place.string(), ": cannot read: ", failure.message());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

DicomListing find_series(const std::filesystem::path& place) {
  std::error_code failure;
  RESEDA_REQUIRE(std::filesystem::exists(place, failure), Errc::kInput, place.string(), ": does not exist");
  DicomListing listing;
  Candidates candidates;
  for (const std::filesystem::path& file : files_of(place)) look_into(file, candidates, listing);
  std::map<std::string, Candidates> groups;
  for (Candidate& candidate : candidates) groups[key_of(candidate)].push_back(std::move(candidate));
  for (auto& [key, group] : groups) {
    std::vector<std::pair<std::string, Candidates>> parts;
    divide(std::move(group), 0, "", parts);
    for (const auto& [part, slices] : parts) listing.series.push_back(series_of(slices, part));
  }
  std::stable_sort(listing.series.begin(), listing.series.end(), [](const DicomSeries& a, const DicomSeries& b) {
    return std::tie(a.number, a.series_uid, a.part) < std::tie(b.number, b.series_uid, b.part);
  });
  return listing;
}

const DicomSeries& choose_series(const DicomListing& listing, std::string_view which, const std::string& place) {
  std::vector<const DicomSeries*> fitting;
  std::ostringstream list;
  for (std::size_t k = 0; k < listing.series.size(); ++k) {
    const DicomSeries& series = listing.series[k];
    if (which.empty() || which == series.series_uid || which == std::to_string(k + 1)) fitting.push_back(&series);
    list << (k > 0 ? "; " : "") << k + 1 << ": " << series.modality << " series " << series.number
         << (series.part.empty() ? "" : " (" + series.part + ")") << ", " << series.slices.size() << " x "
         << series.rows << " x " << series.columns;
  }
  RESEDA_REQUIRE(!listing.series.empty(), Errc::kInput, place, ": holds no DICOM images that can be read",
                 listing.unreadable.empty() ? "" : ": " + listing.unreadable.front());
  RESEDA_REQUIRE(!fitting.empty(), Errc::kUsage, place, ": holds no series '", which, "', choose one of ", list.str());
  RESEDA_REQUIRE(fitting.size() == 1, Errc::kUsage, place, ": holds ", fitting.size(), " series, choose one of ",
                 list.str());
  return *fitting.front();
}

}  // namespace reseda::io
