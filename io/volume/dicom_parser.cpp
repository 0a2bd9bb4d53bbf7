#include "io/volume/dicom_parser.hpp"

#include <algorithm>
#include <cstdio>

#include "io/volume/dicom_tags.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

constexpr int kMaxDepth = 32;
// An element takes about a hundred bytes in memory and eight in a file.
constexpr std::size_t kMaxElements = 8'000'000;
constexpr DicomVr kSequence{'S', 'Q'};

std::string shown(DicomTag tag) {
  char text[16];
  std::snprintf(text, sizeof(text), "(%04X,%04X)", tag >> 16, tag & 0xFFFF);
  return text;
}

void swap_numbers(std::string& value, std::size_t size) {
  for (std::size_t at = 0; at + size <= value.size(); at += size)
    std::reverse(value.begin() + static_cast<std::ptrdiff_t>(at),
                 value.begin() + static_cast<std::ptrdiff_t>(at + size));
}

}  // namespace

std::uint32_t DicomParser::number(std::size_t bytes, bool big_endian) {
  RESEDA_REQUIRE(bytes_.size() - at_ >= bytes, Errc::kInput, name_, ": is cut short after ", bytes_.size(), " bytes");
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes_[at_ + (big_endian ? i : bytes - 1 - i)]);
  at_ += bytes;
  return value;
}

std::string_view DicomParser::take(std::size_t count, DicomTag tag) {
  RESEDA_REQUIRE(bytes_.size() - at_ >= count, Errc::kInput, name_, ": is cut short: ", shown(tag), " announces ",
                 count, " bytes where ", bytes_.size() - at_, " are left");
  at_ += count;
  return bytes_.substr(at_ - count, count);
}

DicomTag DicomParser::peek_tag(DicomEncoding encoding) const {
  DicomParser ahead(*this);
  const std::uint32_t group = ahead.number(2, encoding.big_endian);
  return group << 16 | ahead.number(2, encoding.big_endian);
}

DicomParser::Header DicomParser::header(DicomEncoding encoding, bool pixels_signed) {
  RESEDA_REQUIRE(++elements_ <= kMaxElements, Errc::kInput, name_, ": has more than ", kMaxElements, " elements");
  Header header{};
  const std::uint32_t group = number(2, encoding.big_endian);
  header.tag = group << 16 | number(2, encoding.big_endian);
  if (group == 0xFFFE || !encoding.explicit_vr) {
    header.vr = group == 0xFFFE ? DicomVr{} : dictionary_vr(header.tag, pixels_signed);
    header.length = number(4, encoding.big_endian);
    return header;
  }
  const std::string_view vr = take(2, header.tag);
  header.vr = {vr[0], vr[1]};
  const bool known = is_text_vr(header.vr) || has_long_length(header.vr) || dicom_number_size(header.vr) > 1;
  RESEDA_REQUIRE(known, Errc::kInput, name_, ": is damaged: ", shown(header.tag),
                 " has an unknown value representation");
  if (has_long_length(header.vr)) take(2, header.tag);
  header.length = number(has_long_length(header.vr) ? 4 : 2, encoding.big_endian);
  return header;
}

DicomDataset DicomParser::item(std::uint32_t length, DicomEncoding encoding, int depth) {
  const bool undefined = length == 0xFFFFFFFF;
  RESEDA_REQUIRE(undefined || length <= bytes_.size() - at_, Errc::kInput, name_, ": is cut short in an item of ",
                 length, " bytes");
  const std::size_t end = undefined ? bytes_.size() : at_ + length;
  DicomDataset dataset;
  while (at_ < end) {
    const Header next = header(encoding, pixels_signed_);
    if (undefined && next.tag == tags::kItemDelimitation) {
      dataset.sort();
      return dataset;
    }
    DicomElement found = element(next, encoding, depth);
    RESEDA_REQUIRE(at_ <= end, Errc::kInput, name_, ": is damaged: ", shown(next.tag), " is longer than its item");
    if ((next.tag & 0xFFFF) != 0 && next.tag != tags::kPixelData) dataset.append(std::move(found));
  }
  RESEDA_REQUIRE(!undefined, Errc::kInput, name_, ": is cut short in an item");
  dataset.sort();
  return dataset;
}

std::vector<DicomDataset> DicomParser::items(const Header& sequence, DicomEncoding encoding, int depth) {
  RESEDA_REQUIRE(depth < kMaxDepth, Errc::kInput, name_, ": has sequences more than ", kMaxDepth, " deep");
  RESEDA_REQUIRE(sequence.undefined() || sequence.length <= bytes_.size() - at_, Errc::kInput, name_,
                 ": is cut short in the sequence ", shown(sequence.tag));
  const std::size_t end = sequence.undefined() ? bytes_.size() : at_ + sequence.length;
  std::vector<DicomDataset> items;
  while (at_ < end) {
    const Header next = header(encoding, false);
    if (sequence.undefined() && next.tag == tags::kSequenceDelimitation) return items;
    RESEDA_REQUIRE(next.tag == tags::kItem, Errc::kInput, name_, ": is damaged: ", shown(next.tag),
                   " stands where an item of ", shown(sequence.tag), " must be");
    items.push_back(item(next.length, encoding, depth + 1));
    RESEDA_REQUIRE(at_ <= end, Errc::kInput, name_, ": is damaged: an item is longer than ", shown(sequence.tag));
  }
  RESEDA_REQUIRE(!sequence.undefined(), Errc::kInput, name_, ": is cut short in the sequence ", shown(sequence.tag));
  return items;
}

DicomElement DicomParser::element(const Header& header, DicomEncoding encoding, int depth) {
  DicomElement element{header.tag, header.vr, {}, {}};
  RESEDA_REQUIRE(header.tag >> 16 != 0xFFFE, Errc::kInput, name_, ": is damaged: ", shown(header.tag), " stands alone");
  if (header.tag == tags::kPixelData && header.undefined()) {  // of an icon
    fragments(encoding);
  } else if (header.vr == kSequence || header.undefined()) {
    // What is unknown but of undefined length is a sequence in the implicit encoding (PS3.5 section 6.2.2).
    if (header.vr != kSequence) encoding.explicit_vr = false;
    element.items = items(header, encoding, depth);
    element.vr = kSequence;
  } else {
    element.value = take(header.length, header.tag);
    if (encoding.big_endian) swap_numbers(element.value, dicom_number_size(header.vr));
    if (header.tag == tags::kPixelRepresentation && depth == 0) pixels_signed_ = element.value.starts_with('\1');
  }
  return element;
}

std::vector<std::string_view> DicomParser::fragments(DicomEncoding encoding) {
  std::vector<std::string_view> found;
  while (true) {
    const Header next = header(encoding, false);
    if (next.tag == tags::kSequenceDelimitation) return found;
    RESEDA_REQUIRE(next.tag == tags::kItem && !next.undefined(), Errc::kInput, name_, ": is damaged: ", shown(next.tag),
                   " stands where a piece of the pixel data must be");
    found.push_back(take(next.length, next.tag));
  }
}

void DicomParser::pixel_data(const Header& header, DicomEncoding encoding, DicomFile& file) {
  file.has_pixels = true;
  file.encapsulated = header.undefined();
  file.big_endian = encoding.big_endian;
  if (!file.encapsulated) {
    file.pixels = {take(header.length, header.tag)};
    return;
  }
  file.pixels = fragments(encoding);
  RESEDA_REQUIRE(!file.pixels.empty(), Errc::kInput, name_, ": has encapsulated pixel data without a table of offsets");
  DicomParser table(file.pixels.front(), name_);
  while (table.rest().size() >= 4) file.offsets.push_back(table.number(4, false));
  file.pixels.erase(file.pixels.begin());
}

DicomDataset DicomParser::meta() {
  constexpr DicomEncoding kMeta{};
  DicomDataset dataset;
  while (bytes_.size() - at_ >= 8 && peek_tag(kMeta) >> 16 == 2) {
    const Header next = header(kMeta, false);
    dataset.append(element(next, kMeta, 0));
  }
  dataset.sort();
  return dataset;
}

void DicomParser::dataset(DicomEncoding encoding, DicomFile& file) {
  while (at_ < bytes_.size()) {
    const Header next = header(encoding, pixels_signed_);
    if (next.tag == tags::kPixelData) {
      pixel_data(next, encoding, file);
      break;
    }
    DicomElement found = element(next, encoding, 0);
    if ((next.tag & 0xFFFF) != 0) file.dataset.append(std::move(found));
  }
  file.dataset.sort();
}

}  // namespace reseda::io::detail
