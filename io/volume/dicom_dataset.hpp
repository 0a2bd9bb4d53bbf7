#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reseda::io::detail {

using DicomTag = std::uint32_t;  ///< group * 2^16 + element

/// Value representation: two letters (PS3.5 section 6.2).
struct DicomVr {
  char first = 'U', second = 'N';
  bool operator==(const DicomVr&) const = default;
};

struct DicomElement;

/// A data set: elements in ascending order of their tags. Numbers may be texts (DS, IS) or binary (US, SS, FD, ...).
class DicomDataset {
 public:
  const std::vector<DicomElement>& elements() const { return elements_; }
  std::vector<DicomElement>& elements() { return elements_; }

  const DicomElement* find(DicomTag tag) const;
  DicomElement* find(DicomTag tag);
  bool has(DicomTag tag) const { return find(tag) != nullptr; }

  /// Values between backslashes, without the blanks around them; none if the element is absent or empty.
  std::vector<std::string> texts(DicomTag tag) const;
  /// The first value; empty if there is none.
  std::string text(DicomTag tag) const;
  /// Every value, or none at all if one is not a finite number.
  std::vector<double> numbers(DicomTag tag) const;
  std::optional<double> number(DicomTag tag) const;
  /// Items of a sequence. @return the first one, null if there is none
  const DicomDataset* first_item(DicomTag sequence) const;

  /// Replaces or inserts an element; pads the value to an even length.
  DicomElement& set(DicomTag tag, DicomVr vr, std::string value);
  DicomElement& set_sequence(DicomTag tag, std::vector<DicomDataset> items);
  void erase(DicomTag tag);
  /// For parsers: adds an element anywhere; sort() must follow.
  DicomElement& append(DicomElement element);
  /// Puts elements in order; of two with one tag the first stays.
  void sort();

 private:
  std::vector<DicomElement> elements_;
};

struct DicomElement {
  DicomTag tag = 0;
  DicomVr vr = {};
  std::string value = {};                ///< bytes in little endian, as in the file otherwise
  std::vector<DicomDataset> items = {};  ///< of a sequence (VR SQ)

  bool is_sequence() const { return vr == DicomVr{'S', 'Q'}; }
};

/// Little-endian bytes of an unsigned number of two bytes.
std::string dicom_u16(std::uint16_t number);

bool is_text_vr(DicomVr vr);
/// Bytes of one binary number of a VR, which files of the other byte order swap; 1 for texts and bytes.
std::size_t dicom_number_size(DicomVr vr);
/// VRs whose length takes four bytes in explicit encodings.
bool has_long_length(DicomVr vr);

/// The VR of an element in files that do not write it, from GDCM's copy of the standard's dictionary; UN if unknown.
/// @param pixels_signed  resolves "US or SS"
DicomVr dictionary_vr(DicomTag tag, bool pixels_signed);
/// "PatientName"; empty if unknown or private.
std::string dictionary_keyword(DicomTag tag);

}  // namespace reseda::io::detail
