#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "io/image/image_metadata.hpp"
#include "io/record/atomic_file.hpp"

namespace reseda::io {

inline constexpr std::int64_t kMaxImageChannels = 64;

enum class SampleType { kUnsigned, kSigned, kFloat };

/// What the last channel is.
enum class Alpha {
  kNone,          ///< a colour or band as the others
  kStraight,      ///< opacity; colours are not multiplied by it
  kPremultiplied  ///< opacity; colours are multiplied by it (TIFF's associated alpha)
};

/// An image of a file.
struct Image {
  at::Tensor pixels;  ///< [C,H,W] float32 in the file's units, e.g. 0 .. 255 for 8-bit samples; rows from the top
  int bits = 8;       ///< of a sample: 8, 16 or 32
  SampleType type = SampleType::kUnsigned;
  Alpha alpha = Alpha::kNone;
  ImageMetadata metadata = {};
};

/// The largest value of a sample: 2^bits - 1, of signed ones 2^(bits-1) - 1, of floats 1.
double full_scale(const Image& image);

struct ImageLimits {
  std::int64_t samples = std::int64_t{1} << 28;  ///< most C H W; pixels take four bytes each
};

/// Reads PNG, TIFF (also BigTIFF), JPEG, PGM and PPM; the content decides, not the name.
///   PNG: every kind; palettes become colours, 1 to 4 bits become 8, transparent colours an alpha channel
///   TIFF: 1, 2, 4, 8, 16 and 32-bit integers, 16, 32 and 64-bit floats, up to kMaxImageChannels channels; strips and
///     tiles, chunky and planar; uncompressed, PackBits, LZW, Deflate; grey (WhiteIsZero becomes BlackIsZero), RGB,
///     palette. Of several pages those of reduced resolution and masks are passed over
///   JPEG: 8-bit grey and colour
///   PGM, PPM: binary, maximum 255 or 65535
/// 32-bit integers must lie within +-2^24, where float32 is exact; 64-bit floats are rounded.
/// Memory follows the pixels: sizes in a header are checked against `limits` and against what the file's bytes could
/// hold before anything is allocated.
/// @param file  a file
/// @throws Error{kInput} naming file and rule: missing, unreadable, damaged, cut short, too large, NaN or infinite
///         pixels; and what is not read: CMYK and other colour spaces, animations, several pages, other bit depths
Image read_image(const std::filesystem::path& file, const ImageLimits& limits = {});

/// The same of bytes in memory. @param name  for messages
Image decode_image(std::string_view bytes, const std::string& name, const ImageLimits& limits = {});

enum class TiffCompression { kNone, kDeflate };

struct ImageWriteOptions {
  int jpeg_quality = 95;  ///< 1 to 100; colours are not subsampled
  TiffCompression tiff_compression = TiffCompression::kDeflate;
  std::string provenance = {};  ///< how the file was made: PNG text "Software", TIFF's Software tag, JPEG comment
  Existing existing = Existing::kReplace;
};

struct EncodedImage {
  std::string bytes;
  std::int64_t clipped = 0;  ///< samples that lay outside the range of the type and were set to its limit
};

/// The bytes of a file; the same image gives the same bytes. Integer samples are rounded to the nearest value, ties to
/// even, and clipped to their range; 8 and 16-bit images come back bit for bit from PNG and TIFF.
///   .png 8 or 16-bit unsigned, grey or RGB, with or without straight alpha;  .tif, .tiff everything that Image holds;
///   .jpg, .jpeg 8-bit grey or RGB;  .pgm, .ppm, .pnm 8 or 16-bit unsigned grey or RGB
/// @param extension  with its dot, in lower or upper case
/// @throws Error{kOutput} on another extension or an image that the container cannot hold, Error{kNumeric} at NaN or
///         Inf, with row, column and channel; Error{kUsage} on a bad option
EncodedImage encode_image(const Image& image, const std::string& extension, const ImageWriteOptions& options = {});

/// Writes a file, which appears whole or not at all. @return clipped samples @throws as encode_image, with the path;
/// Error{kOutput} when the file cannot be written
std::int64_t write_image(const std::filesystem::path& file, const Image& image, const ImageWriteOptions& options = {});

/// What a folder is searched for: ".png", ".tif", ... in lower case. Files of these names can also be written.
const std::vector<std::string>& image_extensions();

}  // namespace reseda::io
