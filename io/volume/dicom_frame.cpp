#include "io/volume/dicom_frame.hpp"

#include <array>
#include <cmath>

#include "io/volume/dicom_tags.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

constexpr double kUnit = 1e-3;

/// Attributes of a frame: of its own functional groups, of the shared ones, or of the file.
class Groups {
 public:
  Groups(const DicomFile& file, std::size_t frame) : file_(file.dataset) {
    shared_ = file_.first_item(tags::kSharedFunctionalGroupsSequence);
    const DicomElement* frames = file_.find(tags::kPerFrameFunctionalGroupsSequence);
    if (frames != nullptr && frame < frames->items.size()) own_ = &frames->items[frame];
  }
  bool enhanced() const { return own_ != nullptr; }

  /// The data set that holds an attribute: the group's item, or the file of an object without groups.
  const DicomDataset& holder(DicomTag group) const {
    for (const DicomDataset* groups : {own_, shared_})
      if (groups != nullptr && groups->first_item(group) != nullptr) return *groups->first_item(group);
    return enhanced() ? none_ : file_;
  }

 private:
  const DicomDataset& file_;
  const DicomDataset* shared_ = nullptr;
  const DicomDataset* own_ = nullptr;
  DicomDataset none_;
};

std::vector<double> numbers_of(const DicomFile& file, const DicomDataset& holder, DicomTag tag, std::size_t count,
                               const char* keyword) {
  if (!holder.has(tag) || holder.find(tag)->value.empty()) return {};
  auto numbers = holder.numbers(tag);
  RESEDA_REQUIRE(numbers.size() == count, Errc::kInput, file.name, ": ", keyword, " is not ", count, " numbers");
  return numbers;
}

/// Unit vectors at right angles, from the direction cosines that the file gives with few digits.
void read_orientation(const DicomFile& file, const DicomDataset& holder, SlicePlane& plane) {
  const auto cosines = numbers_of(file, holder, tags::kImageOrientationPatient, 6, "ImageOrientationPatient");
  if (cosines.empty()) return;
  const Vector3 row = {cosines[0], cosines[1], cosines[2]}, column = {cosines[3], cosines[4], cosines[5]};
  RESEDA_REQUIRE(std::abs(dot(row, row) - 1) < kUnit && std::abs(dot(column, column) - 1) < kUnit &&
                     std::abs(dot(row, column)) < kUnit,
                 Errc::kInput, file.name, ": ImageOrientationPatient is not two unit vectors at right angles");
  const double length = std::sqrt(dot(row, row));
  plane.row = {row[0] / length, row[1] / length, row[2] / length};
  const Vector3 normal = cross(plane.row, column);
  const double size = std::sqrt(dot(normal, normal));
  plane.column = cross({normal[0] / size, normal[1] / size, normal[2] / size}, plane.row);
}

void read_spacing(const DicomFile& file, const DicomDataset& measures, DicomFrame& frame) {
  auto spacing = numbers_of(file, measures, tags::kPixelSpacing, 2, "PixelSpacing");
  if (spacing.empty()) spacing = numbers_of(file, file.dataset, tags::kImagerPixelSpacing, 2, "ImagerPixelSpacing");
  const bool known = !spacing.empty() && spacing[0] > 0 && spacing[1] > 0;
  RESEDA_REQUIRE(known || !frame.position_mm, Errc::kInput, file.name, ": PixelSpacing is missing or not > 0");
  if (!known) spacing = {1, 1};
  frame.plane.row_spacing_mm = spacing[0];
  frame.plane.column_spacing_mm = spacing[1];
  for (const DicomTag tag : {tags::kSpacingBetweenSlices, tags::kSliceThickness}) {
    const double thickness = std::abs(measures.number(tag).value_or(0));
    if (thickness <= 0) continue;
    frame.thickness_mm = thickness;
    break;
  }
}

void read_rescale(const DicomFile& file, const DicomDataset& holder, DicomFrame& frame) {
  RESEDA_REQUIRE(!file.dataset.has(tags::kModalityLutSequence), Errc::kInput, file.name,
                 ": modality lookup tables are not read");
  const auto slope = numbers_of(file, holder, tags::kRescaleSlope, 1, "RescaleSlope");
  const auto intercept = numbers_of(file, holder, tags::kRescaleIntercept, 1, "RescaleIntercept");
  if (!slope.empty()) frame.slope = slope[0];
  if (!intercept.empty()) frame.intercept = intercept[0];
  RESEDA_REQUIRE(frame.slope != 0, Errc::kInput, file.name, ": RescaleSlope is 0");
  frame.units = file.dataset.text(tags::kUnits);
  if (frame.units.empty()) frame.units = holder.text(tags::kRescaleType);
  if (frame.units.empty() && file.dataset.text(tags::kModality) == "CT") frame.units = "HU";
}

void read_marks(const DicomFile& file, const Groups& groups, DicomFrame& frame) {
  const auto mark = [&](const char* name, const std::string& value) {
    if (!value.empty()) frame.marks[name] = value;
  };
  const bool enhanced = groups.enhanced();
  std::vector<std::string> type = file.dataset.texts(tags::kImageType);
  for (const DicomTag group :
       {tags::kMrImageFrameTypeSequence, tags::kCtImageFrameTypeSequence, tags::kPetImageFrameTypeSequence})
    if (enhanced && groups.holder(group).has(tags::kFrameType)) type = groups.holder(group).texts(tags::kFrameType);
  if (type.size() > 2) mark("type", type[2]);
  const DicomDataset& content = groups.holder(tags::kFrameContentSequence);
  if (enhanced) {
    mark("stack", content.text(tags::kStackId));
    const auto time = content.number(tags::kTemporalPositionIndex);
    mark("time", time ? std::to_string(static_cast<long>(*time)) : "");
    const auto echo = groups.holder(tags::kMrEchoSequence).number(tags::kEffectiveEchoTime);
    mark("echo time", echo ? std::to_string(*echo) : "");
  } else {
    mark("time", file.dataset.text(tags::kTemporalPositionIdentifier));
    mark("echo time", file.dataset.text(tags::kEchoTime));
    mark("trigger time", file.dataset.text(tags::kTriggerTime));
  }
  const DicomDataset& diffusion = enhanced ? groups.holder(tags::kMrDiffusionSequence) : file.dataset;
  const auto b = diffusion.number(tags::kDiffusionBValue);
  mark("b-value", b ? std::to_string(*b) : "");
  mark("acquisition", file.dataset.text(tags::kAcquisitionNumber));
}

}  // namespace

std::vector<DicomFrame> read_frames(const DicomFile& file, const PixelFormat& format) {
  const DicomElement* own = file.dataset.find(tags::kPerFrameFunctionalGroupsSequence);
  RESEDA_REQUIRE(own == nullptr || own->items.size() == static_cast<std::size_t>(format.frames), Errc::kInput,
                 file.name, ": has functional groups of ", own == nullptr ? 0 : own->items.size(), " frames, expected ",
                 format.frames);
  std::vector<DicomFrame> frames(static_cast<std::size_t>(format.frames));
  for (std::size_t f = 0; f < frames.size(); ++f) {
    DicomFrame& frame = frames[f];
    const Groups groups(file, f);
    frame.index = static_cast<std::int64_t>(f);
    const auto position = numbers_of(file, groups.holder(tags::kPlanePositionSequence), tags::kImagePositionPatient, 3,
                                     "ImagePositionPatient");
    // Several frames without functional groups share the file's position: theirs is unknown.
    if (!position.empty() && (own != nullptr || frames.size() == 1)) {
      frame.position_mm = {position[0], position[1], position[2]};
    }
    read_orientation(file, groups.holder(tags::kPlaneOrientationSequence), frame.plane);
    read_spacing(file, groups.holder(tags::kPixelMeasuresSequence), frame);
    read_rescale(file, groups.holder(tags::kPixelValueTransformationSequence), frame);
    read_marks(file, groups, frame);
  }
  return frames;
}

}  // namespace reseda::io::detail
