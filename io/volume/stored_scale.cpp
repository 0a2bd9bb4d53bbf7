#include "io/volume/stored_scale.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <span>
#include <string>

#include "io/volume/dicom_tags.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr double kMostStored = 32767;

}  // namespace

StoredScale scale_for(const at::Tensor& voxels) {
  RESEDA_INVARIANT(voxels.scalar_type() == at::kFloat && voxels.is_cpu());
  const at::Tensor values = voxels.contiguous();
  // One after the other: without a copy, and the same for any number of threads.
  double low = 0, high = 0, squares = 0;
  for (const float value : std::span(values.const_data_ptr<float>(), static_cast<std::size_t>(voxels.numel()))) {
    const double v = value;
    low = std::min(low, v);
    high = std::max(high, v);
    squares += v * v;
  }
  RESEDA_REQUIRE(std::isfinite(squares), Errc::kNumeric, "a volume to write has NaN or infinite voxels");
  const double largest = std::max(-low, high);
  StoredScale scale;
  if (largest > 0) {
    const double needed = largest / kMostStored, decade = std::pow(10.0, std::floor(std::log10(needed)));
    for (const double digit : {10.0, 5.0, 2.0, 1.0})
      if (digit * decade >= needed) scale.slope = digit * decade;
  }
  const double r = std::sqrt(squares / static_cast<double>(voxels.numel()));
  if (r > 0) scale.window_width = (low < 0 ? 8 : 4) * r;
  scale.window_centre = low < 0 ? 0 : scale.window_width / 2;
  return scale;
}

}  // namespace reseda::io

namespace reseda::io::detail {
namespace {

constexpr DicomVr kCs{'C', 'S'}, kDs{'D', 'S'}, kLo{'L', 'O'}, kUs{'U', 'S'};

std::string decimal(double number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.8g", number);
  return text.data();
}

void set_rescale(DicomDataset& dataset, const StoredScale& scale) {
  dataset.set(tags::kRescaleIntercept, kDs, "0");
  dataset.set(tags::kRescaleSlope, kDs, decimal(scale.slope));
}

void set_window(DicomDataset& dataset, const StoredScale& scale) {
  dataset.set(tags::kWindowCenter, kDs, decimal(scale.window_centre));
  dataset.set(tags::kWindowWidth, kDs, decimal(scale.window_width));
  // Without this a width below 1 is not allowed (PS3.3 section C.11.2.1.2).
  dataset.set(tags::kVoiLutFunction, kCs, "LINEAR_EXACT");
}

/// Scale and window in the shared functional groups, for all frames.
void set_groups(DicomDataset& dataset, const StoredScale& scale) {
  DicomDataset shared, values, window;
  std::string type = "US";
  if (const DicomDataset* before = dataset.first_item(tags::kSharedFunctionalGroupsSequence)) shared = *before;
  for (DicomDataset* groups : {&shared, &dataset.find(tags::kPerFrameFunctionalGroupsSequence)->items.front()}) {
    const DicomDataset* before = groups->first_item(tags::kPixelValueTransformationSequence);
    if (before != nullptr && before->has(tags::kRescaleType)) type = before->text(tags::kRescaleType);
  }
  for (const DicomTag tag :
       {tags::kPixelValueTransformationSequence, tags::kFrameVoiLutSequence, tags::kRealWorldValueMappingSequence}) {
    shared.erase(tag);
    for (DicomDataset& groups : dataset.find(tags::kPerFrameFunctionalGroupsSequence)->items) groups.erase(tag);
  }
  set_rescale(values, scale);
  values.set(tags::kRescaleType, kLo, type);
  set_window(window, scale);
  shared.set_sequence(tags::kPixelValueTransformationSequence, {std::move(values)});
  shared.set_sequence(tags::kFrameVoiLutSequence, {std::move(window)});
  dataset.set_sequence(tags::kSharedFunctionalGroupsSequence, {std::move(shared)});
}

}  // namespace

void set_scale(DicomDataset& dataset, const StoredScale& scale) {
  dataset.set(tags::kBitsAllocated, kUs, dicom_u16(16));
  dataset.set(tags::kBitsStored, kUs, dicom_u16(16));
  dataset.set(tags::kHighBit, kUs, dicom_u16(15));
  dataset.set(tags::kPixelRepresentation, kUs, dicom_u16(1));
  dataset.set(tags::kPhotometricInterpretation, kCs, "MONOCHROME2");
  if (dataset.has(tags::kPresentationLutShape)) dataset.set(tags::kPresentationLutShape, kCs, "IDENTITY");
  for (const DicomTag tag : {tags::kPixelPaddingValue, tags::kPixelPaddingRangeLimit, tags::kSmallestImagePixelValue,
                             tags::kLargestImagePixelValue, tags::kWindowExplanation, tags::kVoiLutFunction,
                             tags::kVoiLutSequence, tags::kRealWorldValueMappingSequence})
    dataset.erase(tag);
  if (dataset.has(tags::kPerFrameFunctionalGroupsSequence)) return set_groups(dataset, scale);
  set_rescale(dataset, scale);
  set_window(dataset, scale);
  const std::string modality = dataset.text(tags::kModality);
  // Without a type the values of CT are HU, those of PET have Units; of others the type is mandatory.
  if (!dataset.has(tags::kRescaleType) && modality != "CT" && modality != "PT")
    dataset.set(tags::kRescaleType, kLo, "US");
}

}  // namespace reseda::io::detail
