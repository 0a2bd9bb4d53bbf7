#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/volume/dicom_file.hpp"
#include "io/volume/dicom_pixels.hpp"
#include "io/volume/slice_stack.hpp"

namespace reseda::io::detail {

/// One image: a file, or a frame of it.
struct DicomFrame {
  std::int64_t index = 0;  ///< in its file
  std::optional<Vector3> position_mm;
  SlicePlane plane;
  double thickness_mm = 1;  ///< for a stack of this frame alone
  double slope = 1, intercept = 0;
  std::string units;  ///< of values after rescaling: "HU", "US" (unspecified), "BQML", ...; empty if unknown
  /// What may tell one volume of a series from another: "type", "echo time", "acquisition", ...
  std::map<std::string, std::string> marks;
};

/// The frames of a file, from its attributes or, of enhanced objects, from its functional groups.
/// @throws Error{kInput} with the file's name: malformed or missing attributes, modality lookup tables
std::vector<DicomFrame> read_frames(const DicomFile& file, const PixelFormat& format);

}  // namespace reseda::io::detail
