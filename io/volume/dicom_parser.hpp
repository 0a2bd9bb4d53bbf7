#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "io/volume/dicom_file.hpp"

namespace reseda::io::detail {

/// How elements are written.
struct DicomEncoding {
  bool explicit_vr = true;
  bool big_endian = false;
};

/// Reads elements one after the other.
class DicomParser {
 public:
  /// @param name  for messages
  DicomParser(std::string_view bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  /// The elements of group 2, always explicit and little endian; stands after them then.
  DicomDataset meta();
  /// The rest of the file up to its pixel data, which it notes in `file`.
  void dataset(DicomEncoding encoding, DicomFile& file);

  std::string_view rest() const { return bytes_.substr(at_); }

 private:
  struct Header {
    DicomTag tag;
    DicomVr vr;
    std::uint32_t length;
    bool undefined() const { return length == 0xFFFFFFFF; }
  };

  Header header(DicomEncoding encoding, bool pixels_signed);
  DicomTag peek_tag(DicomEncoding encoding) const;
  std::uint32_t number(std::size_t bytes, bool big_endian);
  std::string_view take(std::size_t count, DicomTag tag);
  DicomElement element(const Header& header, DicomEncoding encoding, int depth);
  std::vector<DicomDataset> items(const Header& header, DicomEncoding encoding, int depth);
  DicomDataset item(std::uint32_t length, DicomEncoding encoding, int depth);
  std::vector<std::string_view> fragments(DicomEncoding encoding);
  void pixel_data(const Header& header, DicomEncoding encoding, DicomFile& file);
  void count_element();

  std::string_view bytes_;
  const std::string& name_;
  std::size_t at_ = 0;
  std::size_t elements_ = 0;
  bool pixels_signed_ = false;
};

}  // namespace reseda::io::detail
