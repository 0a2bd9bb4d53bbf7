#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/record/mapped_file.hpp"
#include "io/volume/dicom_dataset.hpp"

namespace reseda::io::detail {

namespace transfer_syntax {
inline constexpr std::string_view kImplicit = "1.2.840.10008.1.2", kExplicit = "1.2.840.10008.1.2.1",
                                  kDeflated = "1.2.840.10008.1.2.1.99", kBigEndian = "1.2.840.10008.1.2.2",
                                  kRle = "1.2.840.10008.1.2.5", kJpegLossless = "1.2.840.10008.1.2.4.70",
                                  kJpegLs = "1.2.840.10008.1.2.4.80", kJpeg2000Lossless = "1.2.840.10008.1.2.4.90";
}  // namespace transfer_syntax

/// Whether a transfer syntax loses something: baseline, extended and progressive JPEG, near-lossless JPEG-LS, JPEG
/// 2000.
bool is_lossy(std::string_view transfer_syntax);

/// A DICOM file (PS3.10) in memory: its data set up to the pixel data, and where those bytes are.
struct DicomFile {
  std::string name;             ///< for messages
  std::string transfer_syntax;  ///< UID
  DicomDataset dataset;         ///< group lengths and pixel data are left out
  bool has_pixels = false;
  bool encapsulated = false;
  bool big_endian = false;
  /// Pixel data: all of it, or its fragments without the table of offsets.
  std::vector<std::string_view> pixels;
  std::vector<std::uint32_t> offsets;  ///< the table of offsets of frames, mostly empty

  std::shared_ptr<const MappedFile> mapped;     ///< owns the bytes of pixels
  std::shared_ptr<const std::string> inflated;  ///< or this, of a deflated file
};

/// Whether a file starts as DICOM files do: "DICM" after 128 bytes. @throws Error{kInput} if it cannot be read
bool is_dicom(const std::filesystem::path& file);

/// Parses a file strictly: every length within its parent, sequences at most 32 deep.
/// @throws Error{kInput} with the file's name: unreadable, not DICOM, damaged, cut short, an unknown transfer syntax
DicomFile open_dicom(const std::filesystem::path& file);
/// The same of bytes that must outlive the result.
DicomFile parse_dicom(std::string_view bytes, const std::string& name);

}  // namespace reseda::io::detail
