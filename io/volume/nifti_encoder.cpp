#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "io/volume/volume_encoder.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

constexpr std::size_t kHeaderBytes = 348, kVoxelOffset = 352, kMaxDescription = 79;
constexpr std::int16_t kScanner = 1;
constexpr char kMillimetres = 2;

const std::map<at::ScalarType, std::int16_t> kTypes = {
    {at::kByte, std::int16_t{2}},     {at::kShort, std::int16_t{4}},   {at::kInt, std::int16_t{8}},
    {at::kFloat, std::int16_t{16}},   {at::kDouble, std::int16_t{64}}, {at::kChar, std::int16_t{256}},
    {at::kUInt16, std::int16_t{512}}, {at::kUInt32, std::int16_t{768}}};

/// What space a transform leads to, as the file said that the volume came from.
std::int16_t form_code(const Metadata& metadata, const char* key) {
  const auto found = metadata.find(key);
  int code = 0;
  if (found != metadata.end()) std::from_chars(found->second.data(), found->second.data() + found->second.size(), code);
  return code >= 1 && code <= 5 ? static_cast<std::int16_t>(code) : kScanner;
}

/// Rotation of right-handed axes as a quaternion (a, b, c, d) with a >= 0, by its largest component.
std::array<double, 4> quaternion(const std::array<Vector3, 3>& r) {
  const std::array<double, 4> squares = {1 + r[0][0] + r[1][1] + r[2][2], 1 + r[0][0] - r[1][1] - r[2][2],
                                         1 - r[0][0] + r[1][1] - r[2][2], 1 - r[0][0] - r[1][1] + r[2][2]};
  const auto largest = static_cast<std::size_t>(std::max_element(squares.begin(), squares.end()) - squares.begin());
  // Products of two components times four: aa ab ac ad, ba bb bc bd, ...
  const double ab = r[2][1] - r[1][2], ac = r[0][2] - r[2][0], ad = r[1][0] - r[0][1];
  const double bc = r[0][1] + r[1][0], bd = r[0][2] + r[2][0], cd = r[1][2] + r[2][1];
  const std::array<std::array<double, 4>, 4> products = {
      {{squares[0], ab, ac, ad}, {ab, squares[1], bc, bd}, {ac, bc, squares[2], cd}, {ad, bd, cd, squares[3]}}};
  std::array<double, 4> q = products[largest];
  const double size = std::copysign(2 * std::sqrt(squares[largest]), q[0]);
  for (double& component : q) component /= size;
  return q;
}

double determinant(const std::array<Vector3, 3>& m) {
  return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
         m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
}

}  // namespace

std::string encode_nifti(const EncodedVolume& volume, const Metadata& metadata, const std::string& provenance,
                         bool packed, const std::string& name) {
  std::string bytes(kVoxelOffset, '\0');
  const auto put = [&](std::size_t offset, auto value) { std::memcpy(bytes.data() + offset, &value, sizeof(value)); };
  put(0, std::int32_t{kHeaderBytes});
  put(40, std::int16_t{3});
  for (std::size_t axis = 0; axis < 7; ++axis) {
    const std::int64_t size = axis < 3 ? volume.size[axis] : 1;
    RESEDA_REQUIRE(size <= std::numeric_limits<std::int16_t>::max(), Errc::kOutput, name,
                   ": cannot write: NIfTI-1 holds at most 32767 voxels along an axis, not ", size);
    put(42 + 2 * axis, static_cast<std::int16_t>(size));
    put(80 + 4 * axis, static_cast<float>(axis < 3 ? volume.geometry.spacing_mm[axis] : 1));
  }
  put(70, kTypes.at(volume.type));
  put(72, static_cast<std::int16_t>(8 * c10::elementSize(volume.type)));
  put(108, static_cast<float>(kVoxelOffset));
  put(112, 1.0F);
  bytes[123] = kMillimetres;
  std::memcpy(bytes.data() + 148, provenance.data(), std::min(provenance.size(), kMaxDescription));
  // NIfTI's axes run to the right, front and head; DICOM's to the left, back and head.
  std::array<Vector3, 3> axes = volume.geometry.direction;
  Vector3 origin = volume.geometry.origin_mm;
  for (std::size_t row = 0; row < 2; ++row) {
    origin[row] = -origin[row];
    for (double& cosine : axes[row]) cosine = -cosine;
  }
  put(254, form_code(metadata, "sform_code"));
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 3; ++column)
      put(280 + 16 * row + 4 * column, static_cast<float>(axes[row][column] * volume.geometry.spacing_mm[column]));
    put(292 + 16 * row, static_cast<float>(origin[row]));
  }
  if (!volume.tilted) {
    // A quaternion cannot mirror; pixdim[0] does.
    const double handedness = determinant(axes) < 0 ? -1 : 1;
    for (Vector3& row : axes) row[2] *= handedness;
    const auto q = quaternion(axes);
    put(76, static_cast<float>(handedness));
    put(252, form_code(metadata, "qform_code"));
    for (std::size_t i = 0; i < 3; ++i) {
      put(256 + 4 * i, static_cast<float>(q[i + 1]));
      put(268 + 4 * i, static_cast<float>(origin[i]));
    }
  }
  std::memcpy(bytes.data() + 344, "n+1", 4);
  bytes += volume.voxels;
  return packed ? deflated(bytes, Wrapper::kGzip) : bytes;
}

}  // namespace reseda::io::detail
