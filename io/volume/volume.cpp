#include "io/volume/volume.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "io/volume/dicom_file.hpp"
#include "io/volume/dicom_series.hpp"
#include "io/volume/itk_header.hpp"
#include "io/volume/volume_header.hpp"
#include "io/volume/voxel_bytes.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

using detail::VolumeFormat;
using detail::VolumeHeader;

// Deflate makes at most 1032 bytes out of one.
constexpr std::uint64_t kMostDeflated = 1032;
// float32 holds every integer below.
constexpr double kLargestExact = 16777216.0;
constexpr double kOrthogonal = 1e-3;

VolumeHeader header_of(const std::filesystem::path& file, VolumeFormat format, std::uint64_t file_bytes) {
  if (format == VolumeFormat::kNifti) return detail::read_nifti_header(file);
  std::ifstream in(file, std::ios::binary);
  RESEDA_REQUIRE(in.good(), Errc::kInput, file.string(), ": cannot read");
  std::string head(std::min<std::uint64_t>(file_bytes, detail::kMaxTextHeader), '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(in.gcount()));
  if (format == VolumeFormat::kNrrd) return detail::read_nrrd_header(head, file.string());
  return detail::read_meta_header(head, file.string());
}

/// That the announced voxels are within the limit and may be in the file.
void check_sizes(const VolumeHeader& header, std::uint64_t file_bytes, const VolumeLimits& limits,
                 const std::string& name) {
  const auto [w, h, d] = header.size;
  std::int64_t voxels = 0;
  RESEDA_REQUIRE(
      !__builtin_mul_overflow(w, h, &voxels) && !__builtin_mul_overflow(voxels, d, &voxels) && voxels <= limits.voxels,
      Errc::kInput, name, ": ", w, " x ", h, " x ", d, " voxels are more than the limit of ", limits.voxels);
  const std::uint64_t need =
      header.offset + header.skip + static_cast<std::uint64_t>(voxels) * c10::elementSize(header.type);
  const std::uint64_t most = header.deflated ? file_bytes * kMostDeflated : file_bytes;
  RESEDA_REQUIRE(need <= most, Errc::kInput, name, ": is cut short: ", file_bytes, " bytes cannot hold the ", w, " x ",
                 h, " x ", d, " voxels that its header announces");
}

void check_geometry(const VolumeGeometry& geometry, const std::string& name) {
  for (std::size_t a = 0; a < 3; ++a) {
    const double spacing = geometry.spacing_mm[a];
    RESEDA_REQUIRE(std::isfinite(spacing) && spacing > 0, Errc::kInput, name, ": spacing along axis ", a + 1, " is ",
                   spacing, " mm, expected > 0");
    RESEDA_REQUIRE(std::isfinite(geometry.origin_mm[a]), Errc::kInput, name, ": the origin is not finite");
    for (std::size_t b = 0; b < 3; ++b) {
      double product = 0;
      for (const Vector3& row : geometry.direction) product += row[a] * row[b];
      RESEDA_REQUIRE(std::abs(product - (a == b ? 1 : 0)) < kOrthogonal, Errc::kInput, name,
                     ": its axes are not orthogonal");
    }
  }
}

/// The values as float32, and that nothing is lost or not a number.
at::Tensor values_of(const at::Tensor& stored, const VolumeHeader& header, const std::string& name) {
  const bool scaled = header.slope != 1 || header.intercept != 0;
  const at::Tensor values =
      (scaled ? stored.to(at::kDouble).mul_(header.slope).add_(header.intercept) : stored).to(at::kFloat);
  const bool whole = !at::isFloatingType(stored.scalar_type());
  if (whole && !scaled && stored.element_size() <= 2) return values;
  const auto [low, high] = at::aminmax(values);
  const double least = low.item<double>(), most = high.item<double>();
  RESEDA_REQUIRE(std::isfinite(least) && std::isfinite(most), Errc::kInput, name, ": has NaN or infinite voxels");
  RESEDA_REQUIRE(!whole || scaled || (least > -kLargestExact && most < kLargestExact), Errc::kInput, name,
                 ": has integers from ", least, " to ", most, ", expected within +-2^24");
  return values;
}

Volume read_volume_file(const std::filesystem::path& file, const VolumeLimits& limits) {
  std::error_code failure;
  RESEDA_REQUIRE(std::filesystem::is_regular_file(file, failure), Errc::kInput, file.string(),
                 ": cannot read: ", failure ? failure.message() : "not a regular file");
  const std::uint64_t bytes = std::filesystem::file_size(file);
  const VolumeFormat format = detail::volume_format(file, Errc::kInput);
  const VolumeHeader header = header_of(file, format, bytes);
  check_sizes(header, bytes, limits, file.string());
  Volume volume = detail::read_itk_header(file, format, header);
  check_geometry(volume.geometry, file.string());
  const at::Tensor stored = at::empty({header.size[2], header.size[1], header.size[0]}, header.type);
  detail::read_voxel_bytes(file, header, {static_cast<char*>(stored.mutable_data_ptr()), stored.nbytes()});
  volume.voxels = values_of(stored, header, file.string());
  if (header.slope != 1 || header.intercept != 0) volume.stored = at::kFloat;
  return volume;
}

}  // namespace

detail::VolumeFormat detail::volume_format(const std::filesystem::path& file, Errc code) {
  const std::string extension = volume_extension(file);
  if (extension == ".nii" || extension == ".nii.gz") return VolumeFormat::kNifti;
  if (extension == ".nrrd") return VolumeFormat::kNrrd;
  if (extension == ".mha") return VolumeFormat::kMeta;
  reseda::detail::raise(code, file.string(),
                        ": expected a volume named .nii, .nii.gz, .nrrd or .mha; DICOM is given as its folder");
}

const std::vector<std::string>& volume_extensions() {
  static const std::vector<std::string> all = {".nii", ".nii.gz", ".nrrd", ".mha"};
  return all;
}

std::string volume_extension(const std::filesystem::path& file) {
  std::string name = file.filename().string();
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const std::string& extension : volume_extensions())
    if (name.ends_with(extension)) return extension;
  return {};
}

std::array<std::int64_t, 3> read_volume_size(const std::filesystem::path& file) {
  std::error_code failure;
  const std::uintmax_t bytes = std::filesystem::file_size(file, failure);
  RESEDA_REQUIRE(!failure, Errc::kInput, file.string(), ": cannot read: ", failure.message());
  const VolumeHeader header = header_of(file, detail::volume_format(file, Errc::kInput), bytes);
  check_sizes(header, bytes, {}, file.string());
  return {header.size[2], header.size[1], header.size[0]};
}

Volume read_volume(const std::filesystem::path& place, const VolumeLimits& limits) {
  std::error_code failure;
  if (std::filesystem::is_directory(place, failure) || detail::is_dicom(place)) {
    const DicomListing listing = find_series(place);
    RESEDA_REQUIRE(listing.unreadable.empty(), Errc::kInput, listing.unreadable.front());
    return read_series(choose_series(listing, "", place.string()), {.limits = limits});
  }
  return read_volume_file(place, limits);
}

}  // namespace reseda::io
