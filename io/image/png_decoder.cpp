#include <ATen/ATen.h>

#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "io/image/exif.hpp"
#include "io/image/image_checks.hpp"
#include "io/image/png_codec.hpp"
#include "io/image/png_session.hpp"
#include "io/image/sample_rows.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

constexpr std::string_view kSignature = "\x89PNG\r\n\x1a\n";
// One byte of a Deflate stream becomes at most 1032 bytes.
constexpr double kDeflateExpansion = 1032;

/// Hands out the bytes of a file.
struct Source {
  std::string_view left;
  static void read(png_structp png, png_bytep data, png_size_t size) {
    auto* source = static_cast<Source*>(png_get_io_ptr(png));
    if (size > source->left.size()) png_error(png, "is cut short");
    std::memcpy(data, source->left.data(), size);
    source->left.remove_prefix(size);
  }
};

/// Walks over the chunks, each of which must lie within the file: libpng takes memory for what a chunk claims to hold.
/// @return number of frames of an animated PNG, else 0
std::uint32_t check_chunks(std::string_view bytes, const std::string& name) {
  constexpr std::size_t kLengthTypeAndSum = 12;
  const auto number = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
  };
  std::uint32_t frames = 0;
  std::size_t at = kSignature.size();
  for (std::string_view type; type != "IEND";) {
    const std::size_t left = bytes.size() - at;
    const std::uint32_t length = left < kLengthTypeAndSum ? 0 : number(at);
    RESEDA_REQUIRE(left >= kLengthTypeAndSum + length, Errc::kInput, name, ": cannot be decoded as PNG: is cut short");
    type = bytes.substr(at + 4, 4);
    if (type == "acTL" && length >= 4) frames = number(at + 8);
    at += kLengthTypeAndSum + length;
  }
  return frames;
}

/// Text of a tEXt chunk as UTF-8.
std::string utf8_of_latin1(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xC0 | byte >> 6);
      out += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return out;
}

void read_texts(const PngSession& session, ImageMetadata& metadata) {
  png_textp texts = nullptr;
  const int count = png_get_text(session.png(), session.info(), &texts, nullptr);
  for (int i = 0; i < count; ++i) {
    const png_text& text = texts[i];
    const bool utf8 = text.compression == PNG_ITXT_COMPRESSION_NONE || text.compression == PNG_ITXT_COMPRESSION_zTXt;
    const std::string_view value(text.text, utf8 ? text.itxt_length : text.text_length);
    if (utf8 && text.key == std::string_view(kXmpKeyword)) {
      metadata.xmp = value;
    } else {
      metadata.text.emplace_back(utf8_of_latin1(text.key), utf8 ? std::string(value) : utf8_of_latin1(value));
    }
  }
}

/// What libpng gathered; runs outside guard(): none of these getters fails.
void read_metadata(const PngSession& session, ImageMetadata& metadata) {
  png_structp png = session.png();
  png_infop info = session.info();
  read_texts(session, metadata);
  png_uint_32 size = 0, x = 0, y = 0;
  png_bytep data = nullptr;
  if (png_get_eXIf_1(png, info, &size, &data) != 0) {
    metadata.exif.assign(reinterpret_cast<const char*>(data), size);
    metadata.orientation = exif_orientation(metadata.exif);
  }
  png_charp profile_name = nullptr;
  int method = 0;
  if (png_get_iCCP(png, info, &profile_name, &method, &data, &size) != 0) {
    metadata.icc.assign(reinterpret_cast<const char*>(data), size);
  }
  int unit = 0;
  if (png_get_pHYs(png, info, &x, &y, &unit) != 0 && x > 0 && y > 0) {
    const bool metres = unit == PNG_RESOLUTION_METER;
    metadata.resolution = {metres ? x / 100.0 : x, metres ? y / 100.0 : y,
                           metres ? ResolutionUnit::kCentimetre : ResolutionUnit::kNone};
  }
  png_unknown_chunkp chunks = nullptr;
  const int count = png_get_unknown_chunks(png, info, &chunks);
  for (int i = 0; i < count; ++i) {
    metadata.png_chunks.emplace_back(reinterpret_cast<const char*>(chunks[i].name),
                                     std::string(reinterpret_cast<const char*>(chunks[i].data), chunks[i].size));
  }
}

/// Header of a file, and the rows that libpng makes of it: 8 or 16-bit grey, RGB, either with alpha.
struct Layout {
  png_uint_32 width = 0, height = 0;
  int bits = 0, channels = 0;
  std::size_t row_bytes = 0;
};

Layout read_layout(PngSession& session, const std::string& name, const ImageLimits& limits, std::size_t file_bytes) {
  Layout layout;
  png_structp png = session.png();
  png_infop info = session.info();
  const bool header = session.guard([&] {
    png_read_info(png, info);
    layout.width = png_get_image_width(png, info);
    layout.height = png_get_image_height(png, info);
    layout.bits = png_get_bit_depth(png, info);
    layout.channels = png_get_channels(png, info);
  });
  RESEDA_REQUIRE(header, Errc::kInput, name, ": cannot be decoded as PNG: ", session.failure());
  check_size({layout.width, layout.height, layout.channels}, limits, name);
  const double raw = static_cast<double>(layout.width) * layout.height * layout.bits * layout.channels / 8;
  check_plausible({layout.width, layout.height, layout.channels}, raw, kDeflateExpansion, file_bytes, name);
  // From here on libpng takes memory for a row.
  const bool converted = session.guard([&] {
    png_set_expand(png);
    if constexpr (std::endian::native == std::endian::little) png_set_swap(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    layout.bits = png_get_bit_depth(png, info);
    layout.channels = png_get_channels(png, info);
    layout.row_bytes = png_get_rowbytes(png, info);
  });
  RESEDA_REQUIRE(converted, Errc::kInput, name, ": cannot be decoded as PNG: ", session.failure());
  check_size({layout.width, layout.height, layout.channels}, limits, name);
  return layout;
}

}  // namespace

bool is_png(std::string_view bytes) { return bytes.starts_with(kSignature); }

Image decode_png(std::string_view bytes, const std::string& name, const ImageLimits& limits) {
  const std::uint32_t frames = check_chunks(bytes, name);
  RESEDA_REQUIRE(frames <= 1, Errc::kInput, name, ": is an animation of ", frames, " frames, expected a still image");
  PngSession session(PngSession::Mode::kRead);
  Source source{bytes};
  png_set_read_fn(session.png(), &source, &Source::read);
  const Layout layout = read_layout(session, name, limits, bytes.size());
  const auto height = static_cast<std::size_t>(layout.height);
  std::vector<png_byte> samples(height * layout.row_bytes);
  std::vector<png_bytep> rows(height);
  for (std::size_t y = 0; y < height; ++y) rows[y] = samples.data() + y * layout.row_bytes;
  const bool whole = session.guard([&] {
    png_read_image(session.png(), rows.data());
    png_read_end(session.png(), session.info());
  });
  RESEDA_REQUIRE(whole, Errc::kInput, name, ": cannot be decoded as PNG: ", session.failure());

  Image image{at::empty({layout.channels, layout.height, layout.width}, at::kFloat), layout.bits};
  for (std::size_t y = 0; y < height; ++y) {
    const RowPlace place{static_cast<std::int64_t>(y), 0, layout.width, 0, layout.channels};
    if (layout.bits == 16) {
      store_row(reinterpret_cast<const std::uint16_t*>(rows[y]), place, image.pixels);
    } else {
      store_row(rows[y], place, image.pixels);
    }
  }
  if (layout.channels % 2 == 0) image.alpha = Alpha::kStraight;
  read_metadata(session, image.metadata);
  return image;
}

}  // namespace reseda::io::detail
