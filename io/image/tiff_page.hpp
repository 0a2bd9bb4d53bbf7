#pragma once

#include <tiffio.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "io/image/image.hpp"
#include "io/image/tiff_directory.hpp"

namespace reseda::io::detail {

/// What the directory of a page says of its pixels.
struct TiffLayout {
  std::int64_t width = 0, height = 0, channels = 0;
  int bits = 0;  ///< of a stored sample: 1, 2, 4, 8, 16, 32 or 64
  SampleType type = SampleType::kUnsigned;
  Alpha alpha = Alpha::kNone;
  bool white_is_zero = false, palette = false;
  bool planar = false;  ///< each channel has strips or tiles of its own
  /// Strips are tiles as wide as the image.
  std::int64_t tile_width = 0, tile_height = 0, tiles_across = 0, tiles_down = 0;
  std::int64_t tile_bytes = 0, tile_row_bytes = 0;
  bool tiled = false;

  std::int64_t tile_channels() const { return planar ? 1 : channels; }
  std::int64_t tile_count() const { return tiles_across * tiles_down * (planar ? channels : 1); }
};

/// One page of a file in memory, decoded by libtiff.
class TiffPage {
 public:
  /// @param number  0-based
  /// @throws Error{kInput} if libtiff cannot read the directory
  TiffPage(std::string_view bytes, std::uint32_t number, const std::string& name, const ImageLimits& limits);
  /// @throws Error{kInput} on what is not read, and on sizes that are too large or that the file cannot hold
  TiffLayout layout(const ImageLimits& limits) const;
  /// The samples of a strip or tile, uncompressed, in this machine's byte order.
  /// @param out  tile_bytes of the layout
  /// @throws Error{kInput} if they are damaged or cut short
  void read_tile(const TiffLayout& layout, std::int64_t tile, void* out) const;
  /// Reds, greens and blues of a palette, 2^bits each. @throws Error{kInput} if there is none
  struct Palette {
    const std::uint16_t *red, *green, *blue;
  };
  Palette palette() const;

 private:
  struct Source;
  struct Closer {
    void operator()(TIFF* file) const { TIFFClose(file); }
  };
  void require(bool done, const char* what) const;
  std::uint64_t field(std::uint32_t tag, std::uint64_t otherwise) const;
  void read_photometric(TiffLayout& layout) const;
  void read_samples(TiffLayout& layout) const;
  void read_tiling(TiffLayout& layout, const ImageLimits& limits) const;
  double expansion() const;

  std::string name_;
  std::size_t file_bytes_;
  std::shared_ptr<Source> source_;
  std::unique_ptr<TIFF, Closer> file_;
};

}  // namespace reseda::io::detail
