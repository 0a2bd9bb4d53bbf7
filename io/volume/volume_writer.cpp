#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "io/record/atomic_file.hpp"
#include "io/volume/volume.hpp"
#include "io/volume/volume_encoder.hpp"
#include "io/volume/volume_header.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

using detail::VolumeFormat;

constexpr double kRightAngle = 1e-3;

template <class Number>
std::string whole_numbers(const at::Tensor& values, std::int64_t& clipped) {
  const float* from = values.const_data_ptr<float>();
  std::vector<Number> numbers(static_cast<std::size_t>(values.numel()));
  constexpr double kLow = static_cast<double>(std::numeric_limits<Number>::lowest()),
                   kHigh = static_cast<double>(std::numeric_limits<Number>::max());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const double whole = std::nearbyint(static_cast<double>(from[i]));
    clipped += whole < kLow || whole > kHigh;
    numbers[i] = static_cast<Number>(std::clamp(whole, kLow, kHigh));
  }
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(Number)};
}

/// Voxels of a type, in this machine's byte order.
std::string voxel_bytes(const at::Tensor& voxels, at::ScalarType type, const std::string& name, std::int64_t& clipped) {
  const at::Tensor values = voxels.contiguous();
  switch (type) {
    case at::kByte:
      return whole_numbers<std::uint8_t>(values, clipped);
    case at::kChar:
      return whole_numbers<std::int8_t>(values, clipped);
    case at::kUInt16:
      return whole_numbers<std::uint16_t>(values, clipped);
    case at::kShort:
      return whole_numbers<std::int16_t>(values, clipped);
    case at::kUInt32:
      return whole_numbers<std::uint32_t>(values, clipped);
    case at::kInt:
      return whole_numbers<std::int32_t>(values, clipped);
    case at::kFloat:
      return {static_cast<const char*>(values.const_data_ptr()), values.nbytes()};
    case at::kDouble: {
      const at::Tensor wide = values.to(at::kDouble);
      return {static_cast<const char*>(wide.const_data_ptr()), wide.nbytes()};
    }
    default:
      reseda::detail::raise(Errc::kOutput, name, ": cannot write voxels of type ", c10::toString(type));
  }
}

/// Whether the third axis is not at right angles to the first two.
bool is_tilted(const VolumeGeometry& geometry) {
  for (std::size_t axis = 0; axis < 2; ++axis) {
    double product = 0;
    for (const Vector3& row : geometry.direction) product += row[axis] * row[2];
    if (std::abs(product) > kRightAngle) return true;
  }
  return false;
}

}  // namespace

VolumeBytes encode_volume(const std::filesystem::path& file, const Volume& volume, const VolumeWriting& writing) {
  const std::string name = file.string();
  const VolumeFormat format = detail::volume_format(file, Errc::kOutput);
  const at::Tensor& voxels = volume.voxels;
  RESEDA_INVARIANT(voxels.dim() == 3 && voxels.scalar_type() == at::kFloat && voxels.is_cpu() && voxels.numel() > 0);
  RESEDA_REQUIRE(volume.even, Errc::kOutput, name, ": cannot write: slices are not at equal distances");
  RESEDA_REQUIRE(writing.provenance.find_first_of("\r\n") == std::string::npos, Errc::kUsage,
                 "provenance must be one line");
  const auto [least, most] = at::aminmax(voxels);
  RESEDA_REQUIRE(std::isfinite(least.item<float>()) && std::isfinite(most.item<float>()), Errc::kNumeric, name,
                 ": cannot write: NaN or infinite voxels");
  VolumeBytes out;
  // 64-bit integers that float32 holds fit into 32 bits.
  const at::ScalarType wanted = writing.type.value_or(volume.stored), type = wanted == at::kLong ? at::kInt : wanted;
  detail::EncodedVolume encoded{volume.geometry,
                                {voxels.size(2), voxels.size(1), voxels.size(0)},
                                type,
                                is_tilted(volume.geometry),
                                voxel_bytes(voxels, type, name, out.clipped)};
  const auto& [metadata, provenance] = std::tie(volume.metadata, writing.provenance);
  const bool packed =
      format == VolumeFormat::kNifti ? volume_extension(file) == ".nii.gz" : writing.packing == VolumePacking::kDeflate;
  if (format == VolumeFormat::kNifti) out.bytes = detail::encode_nifti(encoded, metadata, provenance, packed, name);
  if (format == VolumeFormat::kNrrd) out.bytes = detail::encode_nrrd(encoded, metadata, provenance, packed);
  if (format == VolumeFormat::kMeta) out.bytes = detail::encode_meta(encoded, metadata, provenance, packed, name);
  return out;
}

std::int64_t write_volume(const std::filesystem::path& file, const Volume& volume, const VolumeWriting& writing) {
  const VolumeBytes encoded = encode_volume(file, volume, writing);
  write_file(file, encoded.bytes, writing.existing);
  return encoded.clipped;
}

}  // namespace reseda::io
