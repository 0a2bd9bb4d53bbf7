#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/image/image_metadata.hpp"

namespace reseda::io::detail {

using TiffDirectory = std::vector<TiffTag>;

/// Types of tag values.
enum TiffType : std::uint16_t {
  kByte = 1,
  kAscii = 2,
  kShort = 3,
  kLong = 4,
  kRational = 5,
  kUndefined = 7,
  kSignedRational = 10,
  kDouble = 12,
  kIfd = 13,  ///< a place in the file
  kLong8 = 16,
  kIfd8 = 18
};

/// Bytes of one value, 0 of an unknown type.
std::size_t tiff_type_size(std::uint16_t type);

/// The directories of a TIFF or BigTIFF file in memory, in either byte order. Nothing in it is trusted: a tag whose
/// values lie outside the bytes or whose type is unknown is left out, and all values together take no more memory than
/// the bytes do.
class TiffBytes {
 public:
  /// @param bytes  must outlive this
  explicit TiffBytes(std::string_view bytes);
  /// Whether the first bytes are those of a TIFF file.
  bool valid() const { return offset_size_ != 0; }
  std::uint64_t first_directory() const;

  struct Read {
    TiffDirectory tags;
    std::uint64_t next = 0;  ///< offset of the next directory, 0 at the end
    bool whole = false;      ///< whether the directory lies within the bytes
  };
  Read directory(std::uint64_t offset) const;

 private:
  std::uint64_t number(std::uint64_t offset, std::size_t size) const;
  bool inside(std::uint64_t offset, std::uint64_t size) const;
  std::string values(std::uint64_t offset, std::uint64_t size, std::size_t unit) const;

  std::string_view bytes_;
  bool big_endian_ = false;
  std::size_t offset_size_ = 0;  ///< 4, of BigTIFF 8
};

const TiffTag* find_tag(const TiffDirectory& directory, std::uint16_t number);
/// The first value of an integer tag, or `otherwise`.
std::uint64_t tag_value(const TiffDirectory& directory, std::uint16_t number, std::uint64_t otherwise);

TiffTag short_tag(std::uint16_t number, std::span<const std::uint16_t> values);
TiffTag long_tag(std::uint16_t number, std::span<const std::uint32_t> values);

/// Appends a directory in TIFF's little-endian form, tags in ascending order, values after them.
/// @param out   a file or block from its first byte
/// @return its offset in `out`
/// @throws Error{kOutput} beyond 4 GiB
std::uint32_t append_directory(std::string& out, TiffDirectory directory);

/// "II*\0" and a place for the offset of the first directory, which set_first_directory() fills.
std::string tiff_header();
void set_first_directory(std::string& out, std::uint32_t offset);

}  // namespace reseda::io::detail
