#include "io/volume/dicom_writer.hpp"

#include "io/volume/dicom_file.hpp"
#include "io/volume/dicom_tags.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

// One UID and name for every file that reseda writes (PS3.7 annex D.3.3.2).
constexpr const char* kImplementationUid = "2.25.309586462173487161890142357126730298011";
constexpr const char* kImplementationName = "RESEDA";
constexpr std::uint32_t kUndefined = 0xFFFFFFFF;

void put(std::string& out, std::uint32_t number, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(number >> 8 * i);
}

void put_tag(std::string& out, DicomTag tag) {
  put(out, tag >> 16, 2);
  put(out, tag & 0xFFFF, 2);
}

void put_header(std::string& out, DicomTag tag, DicomVr vr, std::uint32_t length) {
  // A value too long for its VR goes as unknown (PS3.5 section 6.2.2).
  if (!has_long_length(vr) && length > 0xFFFE) vr = DicomVr{};
  put_tag(out, tag);
  out += vr.first;
  out += vr.second;
  if (has_long_length(vr)) put(out, 0, 2);
  put(out, length, has_long_length(vr) ? 4 : 2);
}

void put_item_header(std::string& out, std::size_t size) {
  put_tag(out, tags::kItem);
  put(out, static_cast<std::uint32_t>(size), 4);
}

std::string dataset_bytes(const DicomDataset& dataset) {
  std::string out;
  for (const DicomElement& element : dataset.elements()) {
    std::string value = element.value;
    for (const DicomDataset& item : element.items) {
      const std::string bytes = dataset_bytes(item);
      put_item_header(value, bytes.size());
      value += bytes;
    }
    if (value.size() % 2 == 1) value += is_text_vr(element.vr) && element.vr != DicomVr{'U', 'I'} ? ' ' : '\0';
    RESEDA_REQUIRE(value.size() < kUndefined, Errc::kOutput, "a DICOM element of ", value.size(), " bytes is too long");
    put_header(out, element.tag, element.vr, static_cast<std::uint32_t>(value.size()));
    out += value;
  }
  return out;
}

std::string meta_bytes(const DicomDataset& dataset, const std::string& transfer_syntax) {
  constexpr DicomVr kUid{'U', 'I'};
  DicomDataset meta;
  meta.set(0x00020001, {'O', 'B'}, std::string("\0\1", 2));
  meta.set(0x00020002, kUid, dataset.text(tags::kSopClassUid));
  meta.set(0x00020003, kUid, dataset.text(tags::kSopInstanceUid));
  meta.set(tags::kTransferSyntaxUid, kUid, transfer_syntax);
  meta.set(0x00020012, kUid, kImplementationUid);
  meta.set(0x00020013, {'S', 'H'}, kImplementationName);
  const std::string bytes = dataset_bytes(meta);
  std::string out;
  put_header(out, 0x00020000, {'U', 'L'}, 4);
  put(out, static_cast<std::uint32_t>(bytes.size()), 4);
  return out + bytes;
}

}  // namespace

void put_dicom(const DicomDataset& dataset, const DicomPixels& pixels,
               const std::function<void(std::string_view)>& put_part) {
  std::string head(128, '\0');
  head.append("DICM").append(meta_bytes(dataset, pixels.transfer_syntax)).append(dataset_bytes(dataset));
  const bool native = pixels.transfer_syntax == transfer_syntax::kExplicit;
  std::size_t size = 0;
  for (const std::string& piece : pixels.pieces) size += piece.size();
  RESEDA_REQUIRE(!native || size < kUndefined, Errc::kOutput, "pixel data of ", size, " bytes are too long for DICOM");
  put_header(head, tags::kPixelData, {'O', native && pixels.allocated > 8 ? 'W' : 'B'},
             native ? static_cast<std::uint32_t>(size + size % 2) : kUndefined);
  if (!native) put_item_header(head, 0);  // no table of offsets
  put_part(head);
  for (const std::string& piece : pixels.pieces) {
    std::string item;
    put_item_header(item, piece.size() + piece.size() % 2);
    if (!native) put_part(item);
    put_part(piece);
    if (!native && piece.size() % 2 == 1) put_part(std::string_view("\0", 1));
  }
  std::string tail(native ? size % 2 : 0, '\0');
  if (!native) {
    put_tag(tail, tags::kSequenceDelimitation);
    put(tail, 0, 4);
  }
  put_part(tail);
}

}  // namespace reseda::io::detail
