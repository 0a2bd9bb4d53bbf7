#pragma once

#include <filesystem>

#include "io/volume/volume.hpp"
#include "io/volume/volume_header.hpp"

namespace reseda::io::detail {

/// Geometry and metadata of a file whose header was checked, as ITK understands them.
/// @return a volume without voxels @throws Error{kInput} with what ITK says
Volume read_itk_header(const std::filesystem::path& file, VolumeFormat format, const VolumeHeader& header);

}  // namespace reseda::io::detail
