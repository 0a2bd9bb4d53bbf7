#include <ATen/ATen.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "io/image/exif.hpp"
#include "io/image/image_checks.hpp"
#include "io/image/sample_rows.hpp"
#include "io/image/tiff_codec.hpp"
#include "io/image/tiff_page.hpp"
#include "io/image/tiff_tags.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

// float32 holds every integer up to here.
constexpr std::int64_t kLargestExact = 16777216;
constexpr std::size_t kMaxPages = 65535;

struct Page {
  std::uint32_t number = 0;
  TiffDirectory tags;
};

/// The one page of full resolution.
Page find_page(const TiffBytes& bytes, const std::string& name) {
  constexpr std::uint64_t kReducedOrMask = 1 | 4;
  std::set<std::uint64_t> seen;
  std::optional<Page> page;
  std::size_t pages = 0;
  for (std::uint64_t offset = bytes.first_directory(); offset != 0 && seen.size() < kMaxPages;) {
    if (!seen.insert(offset).second) break;
    TiffBytes::Read read = bytes.directory(offset);
    RESEDA_REQUIRE(read.whole, Errc::kInput, name,
                   ": cannot be decoded as TIFF (damaged or cut short): a directory lies outside the file");
    if ((tag_value(read.tags, kNewSubfileType, 0) & kReducedOrMask) == 0) {
      ++pages;
      if (!page) page = Page{static_cast<std::uint32_t>(seen.size() - 1), std::move(read.tags)};
    }
    offset = read.next;
  }
  RESEDA_REQUIRE(pages > 0, Errc::kInput, name, ": holds no page of full resolution");
  RESEDA_REQUIRE(pages == 1, Errc::kInput, name, ": holds ", pages, " pages, expected one; split it into files");
  return std::move(*page);
}

/// Samples of less than a byte, brought to the full scale of 8 bits unless they are indices of a palette.
std::vector<std::uint8_t> unpack(const std::uint8_t* row, std::int64_t count, int bits, bool to_full_scale) {
  std::vector<std::uint8_t> out(static_cast<std::size_t>(count));
  const int mask = (1 << bits) - 1, scale = to_full_scale ? 255 / mask : 1;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t bit = i * bits;
    out[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>((row[bit / 8] >> (8 - bits - bit % 8) & mask) * scale);
  }
  return out;
}

void store(const std::uint8_t* row, const TiffLayout& layout, const RowPlace& place, at::Tensor& pixels) {
  if (layout.bits < 8) {
    store_row(unpack(row, place.columns * place.channels, layout.bits, !layout.palette).data(), place, pixels);
    return;
  }
  const auto as = [&]<class T>(T) { store_row(reinterpret_cast<const T*>(row), place, pixels); };
  if (layout.type == SampleType::kFloat) {
    if (layout.bits == 16) return as(c10::Half());
    return layout.bits == 32 ? as(float{}) : as(double{});
  }
  const bool has_sign = layout.type == SampleType::kSigned;
  if (layout.bits == 8) return has_sign ? as(std::int8_t{}) : as(std::uint8_t{});
  if (layout.bits == 16) return has_sign ? as(std::int16_t{}) : as(std::uint16_t{});
  return has_sign ? as(std::int32_t{}) : as(std::uint32_t{});
}

at::Tensor read_pixels(const TiffPage& page, const TiffLayout& layout) {
  at::Tensor pixels = at::empty({layout.channels, layout.height, layout.width}, at::kFloat);
  std::vector<std::uint64_t> buffer(static_cast<std::size_t>(layout.tile_bytes / 8 + 1));  // aligned for every type
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(buffer.data());
  for (std::int64_t tile = 0; tile < layout.tile_count(); ++tile) {
    page.read_tile(layout, tile, buffer.data());
    const std::int64_t plane = tile / (layout.tiles_across * layout.tiles_down);
    const std::int64_t top = tile / layout.tiles_across % layout.tiles_down * layout.tile_height;
    const std::int64_t left = tile % layout.tiles_across * layout.tile_width;
    const std::int64_t rows = std::min(layout.tile_height, layout.height - top);
    RowPlace place{top, left, std::min(layout.tile_width, layout.width - left), plane, layout.tile_channels()};
    for (std::int64_t y = 0; y < rows; ++y, ++place.row) {
      store(bytes + y * layout.tile_row_bytes, layout, place, pixels);
    }
  }
  return pixels;
}

/// Colours of a palette: 8 bits where all entries are 8-bit values, times 257 as TIFF 6.0 has them or times 256 as
/// older files do; else 16 bits.
Image apply_palette(const at::Tensor& indices, const TiffPage::Palette& palette, int bits) {
  const std::int64_t count = std::int64_t{1} << bits;
  bool repeated = true, shifted = true;
  at::Tensor colors = at::empty({3, count}, at::kFloat);
  for (std::int64_t c = 0; c < 3; ++c) {
    const std::uint16_t* entries = c == 0 ? palette.red : c == 1 ? palette.green : palette.blue;
    for (std::int64_t i = 0; i < count; ++i) {
      repeated = repeated && entries[i] >> 8 == (entries[i] & 0xFF);
      shifted = shifted && (entries[i] & 0xFF) == 0;
      colors[c].data_ptr<float>()[i] = entries[i];
    }
  }
  if (repeated || shifted) colors = at::floor(colors / 256.0);
  const at::Tensor flat = indices.flatten().to(at::kLong);
  return {colors.index_select(1, flat).view({3, indices.size(1), indices.size(2)}), repeated || shifted ? 8 : 16};
}

void check_exact(const at::Tensor& pixels, const std::string& name) {
  const auto low = pixels.min().item<std::int64_t>(), high = pixels.max().item<std::int64_t>();
  RESEDA_REQUIRE(low >= -kLargestExact && high <= kLargestExact, Errc::kInput, name, ": has 32-bit values from ", low,
                 " to ", high, ", expected them within +-16777216, where float32 is exact");
}

}  // namespace

bool is_tiff(std::string_view bytes) { return TiffBytes(bytes).valid(); }

Image decode_tiff(std::string_view bytes, const std::string& name, const ImageLimits& limits) {
  const TiffBytes file(bytes);
  const Page found = find_page(file, name);
  const TiffPage page(bytes, found.number, name, limits);
  const TiffLayout layout = page.layout(limits);
  Image image;
  image.pixels = read_pixels(page, layout);
  image.bits = layout.type == SampleType::kFloat ? 32 : std::max(layout.bits, 8);
  if (layout.palette) image = apply_palette(image.pixels, page.palette(), layout.bits);
  image.type = layout.type;
  image.alpha = layout.alpha;
  if (layout.type == SampleType::kFloat) {
    check_finite(image.pixels, Errc::kInput, name);
  } else if (layout.bits == 32) {
    check_exact(image.pixels, name);
  }
  if (layout.white_is_zero) {
    at::Tensor colors = image.pixels.narrow(0, 0, layout.channels - (layout.alpha == Alpha::kNone ? 0 : 1));
    colors.neg_().add_(full_scale(image));
  }
  read_tiff_metadata(file, found.tags, image.metadata);
  return image;
}

}  // namespace reseda::io::detail
