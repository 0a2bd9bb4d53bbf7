#pragma once

#include "io/image/image_metadata.hpp"
#include "io/image/tiff_directory.hpp"

namespace reseda::io::detail {

inline constexpr std::uint16_t kNewSubfileType = 254;

/// What a page's directory says besides its pixels; damaged parts are left out.
void read_tiff_metadata(const TiffBytes& file, const TiffDirectory& tags, ImageMetadata& metadata);

/// Adds the tags of an image's metadata to the directory of a file under way, and writes the directories they point
/// to.
/// @param channels  of the pixels without alpha
void add_tiff_metadata(const ImageMetadata& metadata, std::int64_t channels, const std::string& provenance,
                       std::string& out, TiffDirectory& directory);

}  // namespace reseda::io::detail
