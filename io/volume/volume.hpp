#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/record/atomic_file.hpp"

namespace reseda::io {

using Vector3 = std::array<double, 3>;

/// Where voxels lie in the patient. The point of voxel (d, h, w), in millimetres and DICOM's axes (x to the patient's
/// left, y to the back, z to the head), is
///   p = origin + direction diag(spacing) (w, h, d)'
struct VolumeGeometry {
  Vector3 spacing_mm = {1, 1, 1};  ///< between centres of neighbours along w, h and d; > 0
  Vector3 origin_mm = {0, 0, 0};   ///< centre of voxel (0, 0, 0)
  /// Columns are unit vectors of w, h and d: direction[row][column]. At right angles, except d of a tilted stack of
  /// DICOM slices; of either handedness.
  std::array<Vector3, 3> direction = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
};

/// A scalar volume of a file.
struct Volume {
  at::Tensor voxels;  ///< [D,H,W] float32 in the file's units after its scaling, e.g. HU
  VolumeGeometry geometry = {};
  /// The type whose values voxels are: of the file's integers, if it does not scale them by anything but whole steps.
  at::ScalarType stored = at::kFloat;
  std::map<std::string, std::string> metadata = {};  ///< texts of the header that reseda gives no meaning
  at::Tensor padding = {};  ///< [D,H,W] bool, where a DICOM image has only padding; undefined if nowhere
  bool even = true;         ///< false: slices are not at equal distances, and spacing_mm[2] is their mean
};

struct VolumeLimits {
  std::int64_t voxels = std::int64_t{1} << 31;  ///< most D H W; they take four bytes each
};

/// Reads a NIfTI-1 (.nii, .nii.gz), NRRD (.nrrd) or MetaImage (.mha) file: one scalar volume, data in the same file,
/// plain or packed with zlib; a 2-D image is a volume of one slice. Geometry and metadata are what ITK understands; of
/// NIfTI's two transforms it takes sform where that is orthogonal and the scanner's or equal to qform, else qform.
/// Of a folder, or a file of DICOM, it reads the only series, which must be regular: io/volume/dicom_series.hpp has
/// more. Sizes in a header are checked against `limits` and against what the file's bytes could hold before anything is
/// allocated. Integers must lie within +-2^24, where float32 is exact; 64-bit floats are rounded.
/// @throws Error{kInput} naming file and rule: missing, unreadable, damaged, cut short, too large, axes that are not
///         orthogonal, NaN or infinite voxels; and what is not read: several volumes, colours, vectors, NIfTI-2, data
///         in a second file
Volume read_volume(const std::filesystem::path& place, const VolumeLimits& limits = {});

enum class VolumePacking { kNone, kDeflate };

struct VolumeWriting {
  std::optional<at::ScalarType> type = {};          ///< of the file's voxels; else Volume::stored
  VolumePacking packing = VolumePacking::kDeflate;  ///< of .nrrd and .mha; .nii.gz always is packed, .nii never
  std::string provenance = {};                      ///< how the file was made, on one line
  Existing existing = Existing::kReplace;
};

/// Writes .nii, .nii.gz, .nrrd or .mha, which appears whole or not at all; the same volume gives the same bytes. Values
/// are rounded to the nearest integer, ties to even, and clipped where the type is one. Metadata go into a file of the
/// kind that they came from; of a tilted stack NIfTI gets no qform.
/// @return how many values were clipped
/// @throws Error{kOutput} naming the file: another name, a stack that is not even, a tilted one in MetaImage, a type or
///         size that the format does not have, a file that cannot be written; Error{kNumeric} at NaN or infinite voxels
std::int64_t write_volume(const std::filesystem::path& file, const Volume& volume, const VolumeWriting& writing = {});

/// D, H, W of a file, from its header alone. @throws as read_volume
std::array<std::int64_t, 3> read_volume_size(const std::filesystem::path& file);

/// A volume as the bytes of a file.
struct VolumeBytes {
  std::string bytes;
  std::int64_t clipped = 0;  ///< values outside the type, set to its limit
};

/// What write_volume writes, for a file of this name. @throws as write_volume
VolumeBytes encode_volume(const std::filesystem::path& file, const Volume& volume, const VolumeWriting& writing = {});

/// What a folder is searched for: ".nii", ".nii.gz", ".nrrd", ".mha", in lower case.
const std::vector<std::string>& volume_extensions();

/// The extension of a volume's name, ".nii.gz" of "a.NII.GZ"; "" if it is none of them. Case makes no difference.
std::string volume_extension(const std::filesystem::path& file);

}  // namespace reseda::io
