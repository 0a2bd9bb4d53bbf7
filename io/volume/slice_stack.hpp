#pragma once

#include <string>
#include <vector>

#include "io/volume/volume.hpp"

namespace reseda::io {

/// What keeps a stack of slices from being a regular volume.
enum class Irregular {
  kRepeated,      ///< two slices at one position
  kMissing,       ///< steps of twice, three times, ... the usual distance
  kUneven,        ///< other steps, or slices shifted in their plane
  kTilt,          ///< slices shifted in their plane in proportion to their distance: a tilted gantry
  kUnpositioned,  ///< several images of unknown positions
};

/// "repeated", "missing", "uneven", "tilt", "unpositioned".
const char* irregular_name(Irregular kind);

struct StackProblem {
  Irregular kind = Irregular::kMissing;
  std::string what;  ///< in words, with numbers
};

namespace detail {

/// The plane of an image: unit vectors along its rows (to the next column) and columns (to the next row).
struct SlicePlane {
  Vector3 row = {1, 0, 0}, column = {0, 1, 0};
  double row_spacing_mm = 1, column_spacing_mm = 1;  ///< DICOM's PixelSpacing: between rows, between columns
};

struct SliceStack {
  std::vector<std::size_t> order;  ///< of the slices along the normal, row x column
  VolumeGeometry geometry;
  std::vector<StackProblem> problems;
};

/// Sorts parallel slices by d = p . n and checks that they are one regular stack:
///   steps       |d_(k+1) - d_k - m| <= max(0.005 m, 0.01 mm), m their median
///   no shift    t_k = p_k - p_0 - (d_k - d_0) n within max(0.05 pixels, 0.01 mm); if t is linear in d, it is a tilt
/// The geometry's spacing along the stack is the mean step; of a tilted stack the third direction is the slope of the
/// stack and not orthogonal to the others.
/// @param positions  centres of the first pixels, one or more
/// @param thickness_mm  spacing of a single slice
SliceStack stack_slices(const std::vector<Vector3>& positions, const SlicePlane& plane, double thickness_mm);

double dot(const Vector3& a, const Vector3& b);
Vector3 cross(const Vector3& a, const Vector3& b);

}  // namespace detail
}  // namespace reseda::io
