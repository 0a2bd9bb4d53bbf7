#include "io/volume/refined_grid.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include "io/volume/dicom_tags.hpp"

namespace reseda::io::detail {
namespace {

constexpr DicomVr kDs{'D', 'S'}, kIs{'I', 'S'};

/// As many digits as the 16 characters of a decimal string hold.
std::string decimal_string(double number) {
  std::array<char, 40> text{};
  for (int digits = 16; digits > 0; --digits)
    if (std::snprintf(text.data(), text.size(), "%.*g", digits, number) <= 16) break;
  return text.data();
}

/// Divides the numbers of an attribute where there is one.
void divide(DicomDataset& dataset, DicomTag tag, std::int64_t factor) {
  std::string text;
  for (const double number : dataset.numbers(tag))
    text += (text.empty() ? "" : "\\") + decimal_string(number / static_cast<double>(factor));
  if (!text.empty()) dataset.set(tag, kDs, text);
}

void multiply(DicomDataset& dataset, DicomTag tag, std::int64_t factor) {
  const auto number = dataset.number(tag);
  if (!number) return;
  const double product = std::clamp(*number * static_cast<double>(factor), 0.0, 65535.0);
  dataset.set(tag, dataset.find(tag)->vr, dicom_u16(static_cast<std::uint16_t>(product)));
}

}  // namespace

Vector3 refined_position(const DicomSeries& source, std::size_t k, std::int64_t part, const Refinement& refinement) {
  const std::vector<DicomSlice>& slices = source.slices;
  const std::size_t before = k > 0 ? k - 1 : k, after = k + 1 < slices.size() ? k + 1 : k;
  const double steps = static_cast<double>(after - before), pixels = static_cast<double>(refinement.pixels);
  const double through = (static_cast<double>(part) + 0.5) / static_cast<double>(refinement.slices) - 0.5;
  const double within = -0.5 * (1 - 1 / pixels);
  const VolumeGeometry& geometry = source.geometry;
  Vector3 position = slices[k].position_mm;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const Vector3& direction = geometry.direction[axis];
    const double next = steps > 0 ? (slices[after].position_mm[axis] - slices[before].position_mm[axis]) / steps
                                  : direction[2] * geometry.spacing_mm[2];
    position[axis] +=
        through * next + within * (direction[0] * geometry.spacing_mm[0] + direction[1] * geometry.spacing_mm[1]);
  }
  return position;
}

void refine_attributes(DicomDataset& dataset, const Refinement& refinement, const Vector3& position_mm,
                       std::int64_t number) {
  if (dataset.has(tags::kImagePositionPatient)) {
    dataset.set(
        tags::kImagePositionPatient, kDs,
        decimal_string(position_mm[0]) + "\\" + decimal_string(position_mm[1]) + "\\" + decimal_string(position_mm[2]));
  }
  if (refinement.pixels > 1) {
    multiply(dataset, tags::kRows, refinement.pixels);
    multiply(dataset, tags::kColumns, refinement.pixels);
    divide(dataset, tags::kPixelSpacing, refinement.pixels);
    divide(dataset, tags::kImagerPixelSpacing, refinement.pixels);
    std::erase_if(dataset.elements(), [](const DicomElement& element) { return element.tag >> 24 == 0x60; });
  }
  if (refinement.slices == 1) return;
  divide(dataset, tags::kSliceThickness, refinement.slices);
  divide(dataset, tags::kSpacingBetweenSlices, refinement.slices);
  dataset.set(tags::kInstanceNumber, kIs, std::to_string(number));
  dataset.erase(tags::kSliceLocation);
  dataset.erase(tags::kImagesInAcquisition);
  // Of PET.
  multiply(dataset, tags::kNumberOfSlices, refinement.slices);
  if (dataset.has(tags::kImageIndex)) {
    dataset.set(tags::kImageIndex, {'U', 'S'}, dicom_u16(static_cast<std::uint16_t>(number)));
  }
}

}  // namespace reseda::io::detail
