#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/volume/dicom_file.hpp"

namespace reseda::io::detail {

/// How the samples of a grey image are stored (PS3.3 section C.7.6.3).
struct PixelFormat {
  std::int64_t rows = 0, columns = 0, frames = 1;
  int allocated = 16;  ///< bits of a sample in the file: 8 or 16
  int stored = 16;     ///< bits that hold the value
  int high_bit = 15;   ///< place of its highest bit
  bool is_signed = false;
  bool monochrome1 = false;  ///< the smallest value is shown white

  std::int32_t lowest() const { return is_signed ? -(1 << (stored - 1)) : 0; }
  std::int32_t highest() const { return (1 << (is_signed ? stored - 1 : stored)) - 1; }
  std::size_t frame_bytes() const {
    return static_cast<std::size_t>(rows * columns) * static_cast<std::size_t>(allocated / 8);
  }
};

/// @throws Error{kInput} unless the file has grey pixels of 8 or 16 bits that its bytes could hold
PixelFormat read_pixel_format(const DicomFile& file);

/// Decodes frames of a file in any transfer syntax that open_dicom accepts.
class PixelReader {
 public:
  PixelReader(const DicomFile& file, const PixelFormat& format);
  /// Stored values of a frame, row by row, sign and unused bits resolved. @param out  rows * columns
  /// @throws Error{kInput} when the frame is damaged or is not what the header announces
  void read(std::int64_t frame, std::span<std::int32_t> out) const;

 private:
  std::string codestream(std::int64_t frame) const;

  const DicomFile& file_;
  PixelFormat format_;
  /// Of encapsulated pixels: the first fragment of each frame, and one past the last.
  std::vector<std::size_t> first_fragment_;
};

/// Stored values of samples as they are in a file. @param out  one value a sample
void unpack_samples(std::string_view bytes, const PixelFormat& format, bool big_endian, std::span<std::int32_t> out);

/// The bytes of stored values in the format of a file, in little endian.
std::string pixel_bytes(std::span<const std::int32_t> stored, const PixelFormat& format);

}  // namespace reseda::io::detail
