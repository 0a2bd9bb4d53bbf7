#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace reseda::io {

enum class ResolutionUnit { kNone, kInch, kCentimetre };

/// Pixels per unit along each axis; without a unit only their ratio means something.
struct Resolution {
  double x = 1.0, y = 1.0;
  ResolutionUnit unit = ResolutionUnit::kNone;
};

/// One entry of a TIFF directory, as it is.
struct TiffTag {
  std::uint16_t number = 0;
  std::uint16_t type = 0;  ///< 1 BYTE, 2 ASCII, 3 SHORT, 4 LONG, 5 RATIONAL, ... of TIFF 6.0; 16 LONG8, 17 SLONG8
  std::string bytes;       ///< the values, little endian
};

/// What an image file says besides its pixels. A writer keeps what its container can hold:
///                     exif  xmp  icc  resolution  orientation  text            tags  png_chunks
///   PNG               yes   yes  yes  yes         in exif      all             no    yes
///   TIFF              yes   yes  yes  yes         yes          no              yes   no
///   JPEG              yes   yes  yes  yes         in exif      comments alone  no    no
///   PGM, PPM          no    no   no   no          no           no              no    no
struct ImageMetadata {
  std::string exif;  ///< a TIFF block that starts with II or MM; of a TIFF file: its descriptive tags, EXIF and GPS
  std::string xmp;   ///< packet, UTF-8
  std::string icc;   ///< profile; not written where its colour space is not that of the pixels
  std::optional<Resolution> resolution;
  int orientation = 1;  ///< 1 to 8 as EXIF counts: how a viewer turns the pixels, which are as stored
  std::vector<std::pair<std::string, std::string>> text;  ///< keyword and UTF-8 text; of a JPEG comment: "Comment"
  std::vector<TiffTag> tags;                              ///< of a TIFF file, e.g. GeoTIFF, IPTC, a maker's own
  std::vector<std::pair<std::string, std::string>> png_chunks;  ///< gAMA, cHRM, sRGB, cICP
};

}  // namespace reseda::io
