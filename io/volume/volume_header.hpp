#pragma once

#include <c10/core/ScalarType.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "modules/core/error.hpp"

namespace reseda::io::detail {

enum class VolumeFormat { kNifti, kNrrd, kMeta };

/// By the file's name. @throws Error{code}
VolumeFormat volume_format(const std::filesystem::path& file, Errc code);

/// What a file says about its voxels.
struct VolumeHeader {
  std::array<std::int64_t, 3> size = {1, 1, 1};  ///< W, H, D
  at::ScalarType type = at::kFloat;
  bool swapped = false;             ///< not in this machine's byte order
  bool deflated = false;            ///< packed with zlib
  std::uint64_t offset = 0;         ///< of the voxels' bytes in the file, or of the packed ones
  std::uint64_t skip = 0;           ///< bytes to pass over after unpacking
  double slope = 1, intercept = 0;  ///< value = slope * stored + intercept
};

/// Reads a header strictly: sizes, types and encodings that ITK's parsers would have to trust are checked here first.
/// @throws Error{kInput} with `name` on whatever reseda does not read (see read_volume)
VolumeHeader read_nifti_header(const std::filesystem::path& file);
/// @param head  the file's first bytes: all of its header unless that is larger than kMaxTextHeader
VolumeHeader read_nrrd_header(std::string_view head, const std::string& name);
VolumeHeader read_meta_header(std::string_view head, const std::string& name);

inline constexpr std::size_t kMaxTextHeader = 1 << 20;

}  // namespace reseda::io::detail
