#include "io/image/exif.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace reseda::io::detail {
namespace {

TiffDirectory pointed(const TiffBytes& bytes, const TiffDirectory& main, std::uint16_t pointer) {
  const std::uint64_t offset = tag_value(main, pointer, 0);
  TiffDirectory tags = offset == 0 ? TiffDirectory{} : bytes.directory(offset).tags;
  std::erase_if(tags, [](const TiffTag& tag) { return !is_portable(tag); });
  return tags;
}

/// Tags that say where a thumbnail lies.
bool is_thumbnail(std::uint16_t tag) { return tag == 513 || tag == 514; }

TiffTag orientation_tag(int orientation) {
  return short_tag(kOrientation, std::array{static_cast<std::uint16_t>(orientation)});
}

}  // namespace

bool is_portable(const TiffTag& tag) {
  constexpr std::uint16_t kInteroperability = 40965;
  return tag.number != kCameraPointer && tag.number != kGpsPointer && tag.number != kInteroperability &&
         tag.type < kIfd;
}

bool is_descriptive(std::uint16_t tag) {
  constexpr std::array<std::uint16_t, 8> kTags = {270, 271, 272, 305, 306, 315, 316, 33432};
  return std::find(kTags.begin(), kTags.end(), tag) != kTags.end();
}

Exif parse_exif(std::string_view block) {
  const TiffBytes bytes(block);
  if (!bytes.valid()) return {};
  Exif exif;
  exif.main = bytes.directory(bytes.first_directory()).tags;
  exif.camera = pointed(bytes, exif.main, kCameraPointer);
  exif.gps = pointed(bytes, exif.main, kGpsPointer);
  std::erase_if(exif.main, [](const TiffTag& tag) { return !is_portable(tag) || is_thumbnail(tag.number); });
  return exif;
}

Exif exif_of(const TiffBytes& file, const TiffDirectory& main) {
  Exif exif;
  std::copy_if(main.begin(), main.end(), std::back_inserter(exif.main),
               [](const TiffTag& tag) { return is_descriptive(tag.number); });
  exif.camera = pointed(file, main, kCameraPointer);
  exif.gps = pointed(file, main, kGpsPointer);
  return exif;
}

std::string make_exif(const Exif& exif) {
  if (exif.main.empty() && exif.camera.empty() && exif.gps.empty()) return {};
  std::string out = tiff_header();
  TiffDirectory main = exif.main;
  for (const auto& [pointer, tags] : {std::pair{kCameraPointer, &exif.camera}, std::pair{kGpsPointer, &exif.gps}}) {
    if (!tags->empty()) main.push_back(long_tag(pointer, std::array{append_directory(out, *tags)}));
  }
  set_first_directory(out, append_directory(out, std::move(main)));
  return out;
}

int exif_orientation(std::string_view block) {
  const std::uint64_t value = tag_value(parse_exif(block).main, kOrientation, 1);
  return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
}

std::string exif_with_orientation(const std::string& block, int orientation) {
  if (exif_orientation(block) == orientation) return block;
  Exif exif = parse_exif(block);
  std::erase_if(exif.main, [](const TiffTag& tag) { return tag.number == kOrientation; });
  exif.main.push_back(orientation_tag(orientation));
  return make_exif(exif);
}

}  // namespace reseda::io::detail
