#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/volume/volume.hpp"

namespace reseda::medical {

/// Where the slices of a scan lie, in DICOM's terms and millimetres.
struct ScanGeometry {
  std::vector<io::Vector3> positions;    ///< centre of each slice's first pixel
  io::Vector3 row = {}, column = {};     ///< unit vectors to the next column and to the next row
  std::array<double, 2> pixel = {1, 1};  ///< between rows, between columns
};

/// A volume to be compared.
struct ComparedScan {
  at::Tensor voxels;                     ///< [D,H,W] float32, in the file's units
  std::optional<ScanGeometry> geometry;  ///< none of a bare array
  std::string modality;                  ///< DICOM's, or empty
  std::string units;                     ///< DICOM's, or empty
  std::vector<std::string> notes;        ///< what a reader of the figures should know
};

/// Reads what io::read_volume reads, and arrays: .npy, or .npz with one array, [D,H,W] or [H,W]. DICOM series that are
/// tilted, uneven or lack slices are read as they are, with a note. Only arrays may hold NaN.
/// @throws Error{kInput} naming the file
ComparedScan read_compared_scan(const std::filesystem::path& place);

/// The value below which this share of the voxels lies, linear between order statistics. @param voxels  not empty
double percentile(const at::Tensor& voxels, double percent);

/// Largest differences between the geometries of two scans of one shape.
struct GeometryDifference {
  double position_mm = 0;  ///< of a coordinate of a slice's position
  double orientation = 0;  ///< of a direction cosine
  double spacing_mm = 0;   ///< between rows or columns
};
GeometryDifference geometry_difference(const ScanGeometry& a, const ScanGeometry& b);

}  // namespace reseda::medical
