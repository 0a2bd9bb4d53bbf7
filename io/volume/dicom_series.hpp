#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "io/volume/slice_stack.hpp"
#include "io/volume/volume.hpp"

namespace reseda::io {

/// One slice: a file, or a frame of an enhanced multi-frame file.
struct DicomSlice {
  std::filesystem::path file;
  std::int64_t frame = 0;
  std::string sop_instance_uid;
  Vector3 position_mm = {0, 0, 0};  ///< centre of the first pixel, as the file says
};

/// Slices of one series that are parallel and of one size, in the order of their positions along row x column.
struct DicomSeries {
  std::string study_uid, series_uid;
  std::string modality;     ///< "CT", "MR", "PT", ...
  std::string description;  ///< SeriesDescription
  std::string part;         ///< which of several volumes of one series, e.g. "time 2"; empty if it is the only one
  std::string units;        ///< of voxels: "HU", "BQML", "US" (unspecified) or empty
  std::int64_t number = 0;  ///< SeriesNumber
  std::int64_t rows = 0, columns = 0;
  VolumeGeometry geometry;
  std::vector<DicomSlice> slices;
  std::vector<StackProblem> problems;  ///< what keeps it from being a regular volume
};

/// What is in a folder.
struct DicomListing {
  std::vector<DicomSeries> series;           ///< by number, UID, part
  std::vector<std::filesystem::path> other;  ///< DICOM without images: reports, structures, ...
  std::vector<std::string> unreadable;       ///< damaged or unsupported images: "FILE: what is wrong"
};

/// Looks into every DICOM file of a folder and its subfolders, or into one file; what is not DICOM is passed over.
/// Slices belong together if patient, study, series, size, orientation, pixel spacing, third value of ImageType (or
/// FrameType) and stack agree. Where positions then repeat, they are told apart by time, echo time, b-value,
/// acquisition or trigger time, in this order.
/// @throws Error{kInput} if the place cannot be read
DicomListing find_series(const std::filesystem::path& place);

/// The series that a person means: by series UID, or by its place in the list, "1", "2", ...; empty: the only one.
/// @throws Error{kUsage} with the list unless there is exactly one @param place  for messages
const DicomSeries& choose_series(const DicomListing& listing, std::string_view which, const std::string& place);

/// The series with the first of the slices at each position.
DicomSeries without_repeats(const DicomSeries& series);

struct SeriesReading {
  std::set<Irregular> accept = {};  ///< problems to live with: slices are stacked as they are
  VolumeLimits limits = {};
};

/// Reads the voxels of a series: value = slope * stored + intercept with each slice's own numbers. Of MONOCHROME1,
/// where small values are white, stored is mirrored within its bits, so that more is always brighter. Padding is
/// marked.
/// @throws Error{kInput} naming the file: damaged or changed since find_series; Error{kInput} naming the problem and
///         the name of the Irregular that accepts it
Volume read_series(const DicomSeries& series, const SeriesReading& reading = {});

}  // namespace reseda::io
