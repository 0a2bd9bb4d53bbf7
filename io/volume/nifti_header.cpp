#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>

#include "io/volume/text_fields.hpp"
#include "io/volume/volume.hpp"
#include "io/volume/volume_header.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

constexpr int kHeaderBytes = 348, kNifti2HeaderBytes = 540, kFirstVoxelOffset = 352;
// Extensions (DICOM headers, XML) lie between header and voxels.
constexpr float kMaxOffset = 64 << 20;

/// The datatype codes of nifti1.h that hold one real number.
const std::map<int, at::ScalarType> kTypes = {{2, at::kByte},     {4, at::kShort},    {8, at::kInt},
                                              {16, at::kFloat},   {64, at::kDouble},  {256, at::kChar},
                                              {512, at::kUInt16}, {768, at::kUInt32}, {1024, at::kLong}};

using Bytes = std::array<char, kFirstVoxelOffset>;

/// The first bytes, unpacked if the file is gzip.
Bytes first_bytes(const std::filesystem::path& file) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> in(gzopen(file.c_str(), "rb"), gzclose);
  RESEDA_REQUIRE(in != nullptr, Errc::kInput, file.string(), ": cannot read: ", std::strerror(errno));
  Bytes bytes{};
  const int got = gzread(in.get(), bytes.data(), bytes.size());
  RESEDA_REQUIRE(got == static_cast<int>(bytes.size()), Errc::kInput, file.string(), ": ends after ", std::max(got, 0),
                 " bytes of the NIfTI header, expected ", bytes.size());
  return bytes;
}

/// Numbers at offsets of nifti1.h's struct nifti_1_header.
class Fields {
 public:
  Fields(const Bytes& bytes, bool swapped) : bytes_(bytes), swapped_(swapped) {}
  template <class Number>
  Number at(std::size_t offset) const {
    std::array<char, sizeof(Number)> raw;
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), raw.size(), raw.begin());
    if (swapped_) std::reverse(raw.begin(), raw.end());
    return std::bit_cast<Number>(raw);
  }

 private:
  const Bytes& bytes_;
  bool swapped_;
};

/// Whether the file is in the other byte order.
bool is_swapped(const Bytes& bytes, const std::string& name) {
  for (const bool swapped : {false, true}) {
    const auto size = Fields(bytes, swapped).at<std::int32_t>(0);
    if (size == kHeaderBytes) return swapped;
    RESEDA_REQUIRE(size != kNifti2HeaderBytes, Errc::kInput, name, ": is NIfTI-2, expected NIfTI-1");
  }
  reseda::detail::raise(Errc::kInput, name, ": is not a NIfTI-1 file");
}

/// The numbers of the transforms in use: qform's at 256, with its handedness at 76, and sform's at 280.
void check_transforms(const Fields& fields, const std::string& name) {
  const auto check = [&](const char* form, std::size_t offset, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      RESEDA_REQUIRE(is_plain_number(fields.at<float>(offset + 4 * i)), Errc::kInput, name, ": ", form,
                     " has the number ", fields.at<float>(offset + 4 * i), ", expected numbers up to a million");
  };
  if (fields.at<std::int16_t>(252) > 0) check("qform", 76, 1), check("qform", 256, 6);
  if (fields.at<std::int16_t>(254) > 0) check("sform", 280, 12);
}

}  // namespace

VolumeHeader read_nifti_header(const std::filesystem::path& file) {
  const std::string name = file.string();
  const Bytes bytes = first_bytes(file);
  const bool swapped = is_swapped(bytes, name);
  const Fields fields(bytes, swapped);
  RESEDA_REQUIRE(std::memcmp(bytes.data() + 344, "n+1", 4) == 0, Errc::kInput, name,
                 ": is not a single NIfTI-1 file (magic 'n+1')");
  const auto rank = fields.at<std::int16_t>(40);
  RESEDA_REQUIRE(rank >= 2 && rank <= 7, Errc::kInput, name, ": dim[0] is ", rank, ", expected 2 to 7");
  VolumeHeader header;
  for (std::int16_t axis = 0; axis < rank; ++axis) {
    const std::size_t at = static_cast<std::size_t>(axis);
    const auto size = fields.at<std::int16_t>(42 + 2 * at);
    RESEDA_REQUIRE(size >= 1 && (axis < 3 || size == 1), Errc::kInput, name, ": dim[", axis + 1, "] is ", size,
                   axis < 3 ? ", expected 1 or more" : ", expected one scalar volume");
    if (axis >= 3) continue;
    header.size[at] = size;
    const auto spacing = fields.at<float>(80 + 4 * at);
    RESEDA_REQUIRE(is_plain_number(spacing) && spacing > 0, Errc::kInput, name, ": pixdim[", axis + 1, "] is ", spacing,
                   ", expected a distance > 0");
  }
  check_transforms(fields, name);
  const auto type = kTypes.find(fields.at<std::int16_t>(70));
  RESEDA_REQUIRE(type != kTypes.end(), Errc::kInput, name, ": datatype is ", fields.at<std::int16_t>(70),
                 ", expected real numbers of 8 to 64 bits");
  header.type = type->second;
  RESEDA_REQUIRE(fields.at<std::int16_t>(72) == 8 * static_cast<int>(c10::elementSize(header.type)), Errc::kInput, name,
                 ": bitpix is ", fields.at<std::int16_t>(72), ", expected ", 8 * c10::elementSize(header.type));
  const auto offset = fields.at<float>(108);
  RESEDA_REQUIRE(offset >= kFirstVoxelOffset && offset <= kMaxOffset && offset == std::floor(offset), Errc::kInput,
                 name, ": vox_offset is ", offset, ", expected ", kFirstVoxelOffset, " to ", kMaxOffset);
  header.swapped = swapped;
  header.deflated = volume_extension(file) == ".nii.gz";
  (header.deflated ? header.skip : header.offset) = static_cast<std::uint64_t>(offset);
  // A slope of 0 or NaN means that stored values are the values.
  const auto slope = fields.at<float>(112), intercept = fields.at<float>(116);
  if (std::isfinite(slope) && slope != 0) {
    header.slope = slope;
    header.intercept = std::isfinite(intercept) ? intercept : 0;
  }
  return header;
}

}  // namespace reseda::io::detail
