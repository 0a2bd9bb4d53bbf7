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
  std::size_t sample_bytes() const { return static_cast<std::size_t>(allocated / 8); }
  std::size_t frame_pixels() const { return static_cast<std::size_t>(rows * columns); }
  std::size_t frame_bytes() const { return frame_pixels() * sample_bytes(); }
};

/// @throws Error{kInput} unless the file has grey pixels of 8 or 16 bits that its bytes could hold
PixelFormat read_pixel_format(const DicomFile& file);

/// Bytes of samples, one after the other.
struct Samples {
  std::string_view bytes;
  bool big_endian = false;
};

/// Decodes frames of a file in any transfer syntax that open_dicom accepts.
class PixelReader {
 public:
  PixelReader(const DicomFile& file, const PixelFormat& format);
  /// Samples of a frame as in an uncompressed file: where they are, or in `decoded`, which then holds them.
  /// @throws Error{kInput} when the frame is damaged or is not what the header announces
  Samples read(std::int64_t frame, std::string& decoded) const;

 private:
  std::string codestream(std::int64_t frame) const;

  const DicomFile& file_;
  PixelFormat format_;
  /// Of encapsulated pixels: the first fragment of each frame, and one past the last.
  std::vector<std::size_t> first_fragment_;
};

/// Stored values of samples number `first` and following, sign and unused bits resolved. @param out  one value a sample
void unpack_samples(const Samples& samples, const PixelFormat& format, std::size_t first, std::span<std::int32_t> out);

/// Bytes of stored values in the format of a file, in little endian. @param out  allocated / 8 bytes a value
void pack_samples(std::span<const std::int32_t> stored, const PixelFormat& format, char* out);

}  // namespace reseda::io::detail
