#include "io/image/tiff_tags.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <utility>

#include "io/image/exif.hpp"
#include "io/image/icc_profile.hpp"

namespace reseda::io::detail {
namespace {

constexpr std::uint16_t kXResolution = 282, kYResolution = 283, kResolutionUnit = 296, kSoftware = 305, kXmp = 700,
                        kIcc = 34675;

/// Tags that describe how this file stores its pixels, that say what other fields say, or that hold copies of the
/// image: a file written anew has its own.
bool is_structural(std::uint16_t tag) {
  constexpr auto kTags = std::to_array<std::uint16_t>(
      {254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273,   274,   277,   278,   279,   280,
       281, 282, 283, 284, 288, 289, 290, 291, 292, 293, 296, 297,   301,   317,   320,   321,   322,
       323, 324, 325, 326, 327, 328, 330, 338, 339, 340, 341, 34665, 34675, 34853, 37724, 40965, 700});
  const bool jpeg_or_ycbcr = tag == 347 || (tag >= 512 && tag <= 532);
  return jpeg_or_ycbcr || std::find(kTags.begin(), kTags.end(), tag) != kTags.end();
}

double rational(const TiffTag& tag) {
  std::array<std::uint32_t, 2> parts{};
  if (tag.type != kRational || tag.bytes.size() < sizeof parts) return 0.0;
  for (std::size_t i = 0; i < 8; ++i)
    parts[i / 4] |= std::uint32_t{static_cast<unsigned char>(tag.bytes[i])} << 8 * (i % 4);
  return parts[1] == 0 ? 0.0 : static_cast<double>(parts[0]) / parts[1];
}

/// With the largest power of ten as denominator that fits, so that decimal numbers come back.
TiffTag rational_tag(std::uint16_t number, double value) {
  constexpr double kMost = 4294967295.0;
  std::uint32_t denominator = 1;
  while (denominator < 1'000'000 && value * denominator * 10 <= kMost && std::fmod(value * denominator, 1.0) != 0.0)
    denominator *= 10;
  const auto numerator = static_cast<std::uint32_t>(std::clamp(std::round(value * denominator), 1.0, kMost));
  TiffTag tag = long_tag(number, std::array{numerator, denominator});
  tag.type = kRational;
  return tag;
}

void read_resolution(const TiffDirectory& tags, ImageMetadata& metadata) {
  const TiffTag *x = find_tag(tags, kXResolution), *y = find_tag(tags, kYResolution);
  if (x == nullptr || y == nullptr || rational(*x) <= 0 || rational(*y) <= 0) return;
  const std::uint64_t unit = tag_value(tags, kResolutionUnit, 2);
  metadata.resolution = {rational(*x), rational(*y),
                         unit == 2   ? ResolutionUnit::kInch
                         : unit == 3 ? ResolutionUnit::kCentimetre
                                     : ResolutionUnit::kNone};
}

}  // namespace

void read_tiff_metadata(const TiffBytes& file, const TiffDirectory& tags, ImageMetadata& metadata) {
  const auto bytes = [&](std::uint16_t number) {
    const TiffTag* tag = find_tag(tags, number);
    return tag == nullptr ? std::string() : tag->bytes;
  };
  metadata.exif = make_exif(exif_of(file, tags));
  metadata.xmp = bytes(kXmp);
  metadata.icc = bytes(kIcc);
  read_resolution(tags, metadata);
  const std::uint64_t orientation = tag_value(tags, kOrientation, 1);
  if (orientation >= 1 && orientation <= 8) metadata.orientation = static_cast<int>(orientation);
  std::copy_if(tags.begin(), tags.end(), std::back_inserter(metadata.tags), [](const TiffTag& tag) {
    return is_portable(tag) && !is_structural(tag.number) && !is_descriptive(tag.number);
  });
}

void add_tiff_metadata(const ImageMetadata& metadata, std::int64_t channels, const std::string& provenance,
                       std::string& out, TiffDirectory& directory) {
  const auto add = [&](TiffTag tag) {
    if (find_tag(directory, tag.number) == nullptr) directory.push_back(std::move(tag));
  };
  const auto add_bytes = [&](std::uint16_t number, std::uint16_t type, const std::string& bytes) {
    if (!bytes.empty()) add({number, type, bytes});
  };
  const Exif exif = parse_exif(metadata.exif);
  if (metadata.orientation != 1) {
    add(short_tag(kOrientation, std::array{static_cast<std::uint16_t>(metadata.orientation)}));
  }
  if (metadata.resolution) {
    const ResolutionUnit unit = metadata.resolution->unit;
    add(rational_tag(kXResolution, metadata.resolution->x));
    add(rational_tag(kYResolution, metadata.resolution->y));
    const int code = unit == ResolutionUnit::kNone ? 1 : unit == ResolutionUnit::kInch ? 2 : 3;
    add(short_tag(kResolutionUnit, std::array{static_cast<std::uint16_t>(code)}));
  }
  if (!provenance.empty()) add({kSoftware, kAscii, provenance + '\0'});
  add_bytes(kXmp, kByte, metadata.xmp);
  add_bytes(kIcc, kUndefined, profile_for(metadata.icc, channels));
  for (const TiffTag& tag : exif.main) {
    if (is_descriptive(tag.number)) add(tag);
  }
  for (const TiffTag& tag : metadata.tags) {
    if (is_portable(tag) && !is_structural(tag.number)) add(tag);
  }
  if (!exif.camera.empty()) add(long_tag(kCameraPointer, std::array{append_directory(out, exif.camera)}));
  if (!exif.gps.empty()) add(long_tag(kGpsPointer, std::array{append_directory(out, exif.gps)}));
}

}  // namespace reseda::io::detail
