#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "io/volume/volume_header.hpp"

namespace reseda::io::detail {

/// Fills `out` with the voxels of a file in this machine's byte order, unpacked where they are deflated (zlib or gzip,
/// also of several members). ITK 5.2.1 leaves zeros or chance bytes where a packed file is cut short; this does not.
/// @throws Error{kInput} with the file's name: unreadable, cut short, damaged (zlib's check sums)
void read_voxel_bytes(const std::filesystem::path& file, const VolumeHeader& header, std::span<char> out);

}  // namespace reseda::io::detail
