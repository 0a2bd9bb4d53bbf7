#include "io/volume/dicom_file.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "io/volume/dicom_parser.hpp"
#include "io/volume/dicom_tags.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

constexpr std::size_t kPreamble = 128;
constexpr std::string_view kMagic = "DICM";
constexpr std::size_t kMaxInflated = std::size_t{2} << 30;

/// The transfer syntaxes of compressed pixels that are read; their data sets are explicit and little endian.
bool is_encapsulated(std::string_view uid) {
  constexpr std::string_view kJpegFamily = "1.2.840.10008.1.2.4.";
  if (uid == transfer_syntax::kRle) return true;
  if (!uid.starts_with(kJpegFamily)) return false;
  uid.remove_prefix(kJpegFamily.size());
  constexpr std::array<std::string_view, 9> kRead = {"50", "51", "53", "55", "57", "70", "80", "81", "90"};
  return uid == "91" || std::find(kRead.begin(), kRead.end(), uid) != kRead.end();
}

/// Deflate without a header (PS3.5 section A.5).
std::string inflate_dataset(std::string_view packed, const std::string& name) {
  z_stream stream{};
  RESEDA_REQUIRE(inflateInit2(&stream, -15) == Z_OK, Errc::kInput, name, ": zlib cannot start");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(std::min<std::size_t>(packed.size(), 0xFFFFFFFF));
  std::string out;
  for (int result = Z_OK; result != Z_STREAM_END;) {
    const std::size_t old = out.size();
    RESEDA_REQUIRE(old < kMaxInflated, Errc::kInput, name, ": unpacks to more than ", kMaxInflated, " bytes");
    out.resize(std::max<std::size_t>(2 * old, 1 << 16));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + old);
    stream.avail_out = static_cast<uInt>(out.size() - old);
    result = inflate(&stream, Z_NO_FLUSH);
    out.erase(out.size() - stream.avail_out);
    RESEDA_REQUIRE(result == Z_STREAM_END || (result == Z_OK && out.size() > old), Errc::kInput, name,
                   ": is damaged or cut short: its data set cannot be unpacked");
  }
  return out;
}

}  // namespace

bool is_lossy(std::string_view transfer_syntax) {
  constexpr std::array<std::string_view, 6> kLossy = {".4.50", ".4.51", ".4.53", ".4.55", ".4.81", ".4.91"};
  return std::any_of(kLossy.begin(), kLossy.end(),
                     [&](std::string_view end) { return transfer_syntax.ends_with(end); });
}

bool is_dicom(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::array<char, kPreamble + kMagic.size()> head{};
  in.read(head.data(), head.size());
  return in.good() && std::string_view(head.data() + kPreamble, kMagic.size()) == kMagic;
}

DicomFile parse_dicom(std::string_view bytes, const std::string& name) {
  RESEDA_REQUIRE(bytes.size() >= kPreamble + kMagic.size() && bytes.substr(kPreamble, kMagic.size()) == kMagic,
                 Errc::kInput, name, ": is not a DICOM file");
  DicomFile file;
  file.name = name;
  DicomParser parser(bytes.substr(kPreamble + kMagic.size()), name);
  file.transfer_syntax = parser.meta().text(tags::kTransferSyntaxUid);
  const std::string& syntax = file.transfer_syntax;
  if (syntax == transfer_syntax::kDeflated) {
    file.inflated = std::make_shared<const std::string>(inflate_dataset(parser.rest(), name));
    DicomParser(*file.inflated, name).dataset({}, file);
    return file;
  }
  const bool native = syntax == transfer_syntax::kImplicit || syntax == transfer_syntax::kExplicit ||
                      syntax == transfer_syntax::kBigEndian;
  RESEDA_REQUIRE(native || is_encapsulated(syntax), Errc::kInput, name, ": transfer syntax ",
                 syntax.empty() ? "is missing" : syntax + " is not read");
  parser.dataset(
      {.explicit_vr = syntax != transfer_syntax::kImplicit, .big_endian = syntax == transfer_syntax::kBigEndian}, file);
  RESEDA_REQUIRE(!file.has_pixels || file.encapsulated != native, Errc::kInput, name,
                 ": is damaged: its pixel data do not fit transfer syntax ", syntax);
  return file;
}

DicomFile open_dicom(const std::filesystem::path& path) {
  auto mapped = std::make_shared<const MappedFile>(path, Errc::kInput);
  const std::string_view bytes(reinterpret_cast<const char*>(mapped->bytes().data()), mapped->bytes().size());
  DicomFile file = parse_dicom(bytes, path.string());
  file.mapped = std::move(mapped);
  return file;
}

}  // namespace reseda::io::detail
