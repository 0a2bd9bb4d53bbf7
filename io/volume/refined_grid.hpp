#pragma once

#include <cstdint>

#include "io/volume/derived_series.hpp"
#include "io/volume/dicom_dataset.hpp"

namespace reseda::io::detail {

/// Where slice `part` of `refinement.slices` slices made from slice k of a series has its first pixel:
///   p' = p + ((part + 1/2) / slices - 1/2) v - (1 - 1 / pixels) / 2 (row dx + column dy)
/// v leads to the next slice, half the way from the last to the next where there are both; dx and dy are the source's
/// spacings along its rows and columns.
Vector3 refined_position(const DicomSeries& source, std::size_t k, std::int64_t part, const Refinement& refinement);

/// Gives the data set of a single-frame image its new size, spacings and position; through the plane also its number
/// among the new slices, counted from 1. What told of the old grid and cannot be carried over goes: overlays,
/// SliceLocation, ImagesInAcquisition.
void refine_attributes(DicomDataset& dataset, const Refinement& refinement, const Vector3& position_mm,
                       std::int64_t number);

}  // namespace reseda::io::detail
