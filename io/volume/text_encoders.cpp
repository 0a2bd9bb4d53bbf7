#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>

#include "io/volume/volume_encoder.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

// Packing costs most of the time of writing; higher levels save little on voxels.
constexpr int kLevel = 1;
constexpr std::size_t kMaxMetaValue = 2000;

/// The shortest text that reads back as the same number.
std::string shown(double number) {
  std::array<char, 32> text;
  const auto [end, failure] = std::to_chars(text.data(), text.data() + text.size(), number);
  RESEDA_INVARIANT(failure == std::errc());
  return {text.data(), end};
}

template <class Numbers>
std::string listed(const Numbers& numbers) {
  std::string text;
  for (const auto number : numbers) text += (text.empty() ? "" : " ") + shown(static_cast<double>(number));
  return text;
}

/// Metadata that came from a file of the same kind, without what ITK put in.
Metadata own_metadata(const Metadata& metadata, const std::string& reader) {
  const auto found = metadata.find("ITK_InputFilterName");
  if (found == metadata.end() || found->second != reader) return {};
  Metadata own = metadata;
  std::erase_if(own, [](const auto& entry) {
    return entry.first.starts_with("ITK_") || entry.first.starts_with("NRRD_") ||
           (entry.first + entry.second).find_first_of("\r\n\\=:") != std::string::npos;
  });
  return own;
}

const std::map<at::ScalarType, const char*> kNrrdTypes = {
    {at::kByte, "uint8"}, {at::kChar, "int8"},     {at::kShort, "int16"}, {at::kUInt16, "uint16"},
    {at::kInt, "int32"},  {at::kUInt32, "uint32"}, {at::kFloat, "float"}, {at::kDouble, "double"}};

const std::map<at::ScalarType, const char*> kMetaTypes = {
    {at::kByte, "MET_UCHAR"}, {at::kChar, "MET_CHAR"},   {at::kShort, "MET_SHORT"}, {at::kUInt16, "MET_USHORT"},
    {at::kInt, "MET_INT"},    {at::kUInt32, "MET_UINT"}, {at::kFloat, "MET_FLOAT"}, {at::kDouble, "MET_DOUBLE"}};

}  // namespace

std::string deflated(const std::string& bytes, Wrapper wrapper) {
  z_stream stream{};
  RESEDA_REQUIRE(deflateInit2(&stream, kLevel, Z_DEFLATED, wrapper == Wrapper::kGzip ? 15 + 16 : 15, 8,
                              Z_DEFAULT_STRATEGY) == Z_OK,
                 Errc::kOutput, "zlib cannot start");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, deflateEnd);
  std::string out;
  std::size_t taken = 0;
  for (int result = Z_OK; result != Z_STREAM_END;) {
    const std::size_t piece = std::min<std::size_t>(bytes.size() - taken, std::numeric_limits<uInt>::max() / 2);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + taken));
    stream.avail_in = static_cast<uInt>(piece);
    const std::size_t old = out.size(), room = piece / 2 + (1 << 16);
    out.resize(old + room);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + old);
    stream.avail_out = static_cast<uInt>(room);
    result = deflate(&stream, taken + piece == bytes.size() ? Z_FINISH : Z_NO_FLUSH);
    taken += piece - stream.avail_in;
    out.erase(out.size() - stream.avail_out);
  }
  return out;
}

std::string encode_nrrd(const EncodedVolume& volume, const Metadata& metadata, const std::string& provenance,
                        bool packed) {
  const VolumeGeometry& geometry = volume.geometry;
  std::string text = std::string("NRRD0004\ntype: ") + kNrrdTypes.at(volume.type) + "\ndimension: 3\n" +
                     "space: left-posterior-superior\nsizes: " + listed(volume.size) + "\nspace directions:";
  for (std::size_t axis = 0; axis < 3; ++axis) {
    text += axis == 0 ? " (" : ") (";
    for (std::size_t row = 0; row < 3; ++row)
      text += (row > 0 ? "," : "") + shown(geometry.direction[row][axis] * geometry.spacing_mm[axis]);
  }
  text += ")\nkinds: domain domain domain\n";
  if (c10::elementSize(volume.type) > 1) text += "endian: little\n";
  text += std::string("encoding: ") + (packed ? "gzip" : "raw") + "\nspace origin: (" + shown(geometry.origin_mm[0]) +
          "," + shown(geometry.origin_mm[1]) + "," + shown(geometry.origin_mm[2]) + ")\n";
  Metadata pairs = own_metadata(metadata, "NrrdImageIO");
  if (!provenance.empty()) pairs["provenance"] = provenance;
  for (const auto& [key, value] : pairs) text += key + ":=" + value + "\n";
  return text + "\n" + (packed ? deflated(volume.voxels, Wrapper::kGzip) : volume.voxels);
}

std::string encode_meta(const EncodedVolume& volume, const Metadata& metadata, const std::string& provenance,
                        bool packed, const std::string& name) {
  RESEDA_REQUIRE(!volume.tilted, Errc::kOutput, name, ": cannot write: MetaImage cannot hold a tilted stack");
  const VolumeGeometry& geometry = volume.geometry;
  std::vector<double> matrix;
  for (std::size_t axis = 0; axis < 3; ++axis)
    for (std::size_t row = 0; row < 3; ++row) matrix.push_back(geometry.direction[row][axis]);
  const std::string voxels = packed ? deflated(volume.voxels, Wrapper::kZlib) : std::string();
  std::string text = "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n";
  text += std::string("CompressedData = ") + (packed ? "True" : "False") + "\n";
  if (packed) text += "CompressedDataSize = " + std::to_string(voxels.size()) + "\n";
  text += "TransformMatrix = " + listed(matrix) + "\nOffset = " + listed(geometry.origin_mm) +
          "\nCenterOfRotation = 0 0 0\nAnatomicalOrientation = RAI\nElementSpacing = " + listed(geometry.spacing_mm) +
          "\nDimSize = " + listed(volume.size) + "\n";
  Metadata fields = own_metadata(metadata, "MetaImageIO");
  if (!provenance.empty()) fields["provenance"] = provenance.substr(0, kMaxMetaValue);
  for (const auto& [key, value] : fields)
    if (text.find(key + " = ") == std::string::npos) text += key + " = " + value + "\n";
  text += std::string("ElementType = ") + kMetaTypes.at(volume.type) + "\nElementDataFile = LOCAL\n";
  return text + (packed ? voxels : volume.voxels);
}

}  // namespace reseda::io::detail
