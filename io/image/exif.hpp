#pragma once

#include <string>
#include <string_view>

#include "io/image/tiff_directory.hpp"

namespace reseda::io::detail {

/// An EXIF block taken apart: a small TIFF file whose first directory points to others. Thumbnails are left out.
struct Exif {
  TiffDirectory main;    ///< description, make, model, software, date, artist, copyright, ...
  TiffDirectory camera;  ///< exposure, lens, maker note, ...
  TiffDirectory gps;
};

/// Directories of a block; what is damaged is left out.
Exif parse_exif(std::string_view block);
/// The directories that `main` of a TIFF file points to; what is damaged is left out, and so are tags of `main` other
/// than the descriptive ones.
Exif exif_of(const TiffBytes& file, const TiffDirectory& main);

/// A little-endian block, empty if all directories are.
std::string make_exif(const Exif& exif);

/// Tag numbers of the pointers to directories.
inline constexpr std::uint16_t kCameraPointer = 34665, kGpsPointer = 34853, kOrientation = 274;

/// Whether a tag keeps its meaning in another file: it points to no place, and is of a type of TIFF 6.0.
bool is_portable(const TiffTag& tag);

/// Image description, make, model, software, date and time, artist, host computer, copyright.
bool is_descriptive(std::uint16_t tag);

/// 1 to 8; 1 where the block does not say.
int exif_orientation(std::string_view block);
/// The block as it is where it says that orientation already, else with it set.
std::string exif_with_orientation(const std::string& block, int orientation);

}  // namespace reseda::io::detail
