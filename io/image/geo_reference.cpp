#include "io/image/geo_reference.hpp"

#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "io/image/exif.hpp"
#include "io/image/tiff_directory.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

constexpr std::uint16_t kPixelScale = 33550, kTiePoints = 33922, kTransformation = 34264, kGeoKeys = 34735;

/// Values of a tag of DOUBLEs.
std::vector<double> doubles(const TiffTag& tag) {
  std::vector<double> values(tag.type == detail::kDouble ? tag.bytes.size() / sizeof(double) : 0);
  std::memcpy(values.data(), tag.bytes.data(), values.size() * sizeof(double));
  return values;
}

void set_doubles(TiffTag& tag, const std::vector<double>& values) {
  std::memcpy(tag.bytes.data(), values.data(), values.size() * sizeof(double));
}

/// Whether raster coordinates mean centres of pixels. The keys are SHORTs in fours after the first four: key, place,
/// count, value.
bool pixel_is_point(const std::vector<TiffTag>& tags) {
  constexpr int kRasterType = 1025, kPoint = 2;
  const TiffTag* keys = detail::find_tag(tags, kGeoKeys);
  if (keys == nullptr) return false;
  const auto value = [&](std::size_t i) {
    return static_cast<unsigned char>(keys->bytes[2 * i]) | static_cast<unsigned char>(keys->bytes[2 * i + 1]) << 8;
  };
  for (std::size_t i = 4; 2 * (i + 4) <= keys->bytes.size(); i += 4) {
    if (value(i) == kRasterType) return value(i + 3) == kPoint;
  }
  return false;
}

/// The width and height that EXIF keeps of its own.
void scale_exif_size(std::string& block, double factor) {
  constexpr std::uint16_t kWidth = 40962, kHeight = 40963;
  detail::Exif exif = detail::parse_exif(block);
  bool changed = false;
  for (TiffTag& tag : exif.camera) {
    if (tag.number != kWidth && tag.number != kHeight) continue;
    const double size = std::round(factor * static_cast<double>(detail::tag_value({tag}, tag.number, 0)));
    if (!(size >= 1 && size <= 4294967295.0)) continue;
    tag = detail::long_tag(tag.number, std::array{static_cast<std::uint32_t>(size)});
    changed = true;
  }
  if (changed) block = detail::make_exif(exif);
}

}  // namespace

void scale_geometry(ImageMetadata& metadata, double factor) {
  RESEDA_INVARIANT(factor > 0);
  scale_exif_size(metadata.exif, factor);
  if (metadata.resolution && metadata.resolution->unit != ResolutionUnit::kNone) {
    metadata.resolution->x *= factor;
    metadata.resolution->y *= factor;
  }
  const double centre = pixel_is_point(metadata.tags) ? 0.5 : 0.0;
  for (TiffTag& tag : metadata.tags) {
    std::vector<double> values = doubles(tag);
    if (tag.number == kPixelScale && values.size() >= 2) {
      values[0] /= factor;
      values[1] /= factor;
    } else if (tag.number == kTiePoints) {
      // Each six: raster i, j, k, model x, y, z.
      for (std::size_t point = 0; point + 6 <= values.size(); point += 6) {
        for (std::size_t axis : {point, point + 1}) values[axis] = factor * (values[axis] + centre) - centre;
      }
    } else if (tag.number == kTransformation && values.size() == 16) {
      // Rows of a 4 x 4 matrix: model = M (i, j, k, 1), and i = (i' + centre) / factor - centre.
      for (std::size_t row = 0; row < 16; row += 4) {
        values[row + 3] += (values[row] + values[row + 1]) * (centre / factor - centre);
        values[row] /= factor;
        values[row + 1] /= factor;
      }
    } else {
      continue;
    }
    set_doubles(tag, values);
  }
}

}  // namespace reseda::io
