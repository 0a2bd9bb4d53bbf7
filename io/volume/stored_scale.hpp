#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace reseda::io {

/// How a derived series stores numbers that the source's own bits could not hold, as differences of both signs: signed
/// 16-bit integers, value = slope * stored, shown by a window in values from centre - width / 2 to centre + width / 2
/// (VOILUTFunction LINEAR_EXACT, whose width may be anything above 0).
struct StoredScale {
  double slope = 1;  ///< > 0
  double window_centre = 0, window_width = 1;
};

/// The finest slope of 1, 2 or 5 times a power of ten with which 32767 slope reaches every voxel, and a window of four
/// root mean squares r: from -4 r to 4 r where voxels have both signs, from 0 to 4 r where none is negative.
/// @param voxels  float32
/// @throws Error{kNumeric}: NaN or infinite voxels
StoredScale scale_for(const at::Tensor& voxels);

}  // namespace reseda::io

namespace reseda::io::detail {

class DicomDataset;

/// Makes the scale that of an image: bits, slope and window, in functional groups where it has them. Padding, lookup
/// tables and windows of the source go.
void set_scale(DicomDataset& dataset, const StoredScale& scale);

}  // namespace reseda::io::detail
