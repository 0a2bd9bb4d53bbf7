#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "io/image/exif.hpp"
#include "io/image/png_codec.hpp"
#include "io/image/png_session.hpp"
#include "io/image/sample_rows.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

void append(png_structp png, png_bytep data, png_size_t size) {
  static_cast<std::string*>(png_get_io_ptr(png))->append(reinterpret_cast<const char*>(data), size);
}

int color_type(const Image& image) {
  const std::int64_t channels = image.pixels.size(0);
  const bool alpha = image.alpha == Alpha::kStraight;
  RESEDA_REQUIRE(image.type == SampleType::kUnsigned && image.bits <= 16, Errc::kOutput,
                 "PNG holds 8 or 16-bit unsigned samples, got ", image.bits, " bits ",
                 image.type == SampleType::kFloat ? "floating point" : "integer", "; write .tif");
  RESEDA_REQUIRE(image.alpha != Alpha::kPremultiplied, Errc::kOutput,
                 "PNG cannot hold colours multiplied by alpha; write .tif");
  RESEDA_REQUIRE(channels == (alpha ? 2 : 1) || channels == (alpha ? 4 : 3), Errc::kOutput,
                 "PNG holds 1 or 3 channels and alpha, got ", channels, " channels", alpha ? " with alpha" : "",
                 "; write .tif");
  const int color = channels >= 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY;
  return alpha ? color | PNG_COLOR_MASK_ALPHA : color;
}

bool is_ascii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// PNG takes 1 to 79 printable letters, of which we write ASCII alone.
bool is_keyword(const std::string& text) {
  const auto printable = [](char c) { return c > ' ' && c < 0x7F; };
  return text.size() < 80 && std::any_of(text.begin(), text.end(), printable) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return c == ' ' || printable(c); });
}

/// What libpng's structures point to while they are handed over.
struct Texts {
  std::vector<std::pair<std::string, std::string>> words;
  std::vector<png_text> entries;

  void add(const std::string& keyword, const std::string& text) { words.emplace_back(keyword, text); }
  void link() {
    for (auto& [keyword, text] : words) {
      png_text entry{};
      const bool international = keyword == kXmpKeyword || !is_ascii(text);
      entry.compression = international ? PNG_ITXT_COMPRESSION_NONE : PNG_TEXT_COMPRESSION_NONE;
      entry.key = keyword.data();
      entry.text = text.data();
      (international ? entry.itxt_length : entry.text_length) = text.size();
      entries.push_back(entry);
    }
  }
};

Texts texts_of(const ImageMetadata& metadata, const std::string& provenance) {
  Texts texts;
  for (const auto& [keyword, text] : metadata.text) {
    if (is_keyword(keyword)) texts.add(keyword, text);
  }
  if (!provenance.empty()) texts.add("Software", provenance);
  if (!metadata.xmp.empty()) texts.add(kXmpKeyword, metadata.xmp);
  texts.link();
  return texts;
}

std::vector<png_unknown_chunk> color_chunks(ImageMetadata& metadata) {
  std::vector<png_unknown_chunk> chunks;
  for (auto& [name, data] : metadata.png_chunks) {
    RESEDA_INVARIANT(name.size() == 4);
    png_unknown_chunk chunk{};
    std::copy(name.begin(), name.end(), chunk.name);
    chunk.data = reinterpret_cast<png_bytep>(data.data());
    chunk.size = data.size();
    chunk.location = PNG_HAVE_IHDR;
    chunks.push_back(chunk);
  }
  return chunks;
}

png_uint_32 whole(double value) { return static_cast<png_uint_32>(std::clamp(std::round(value), 1.0, 2147483647.0)); }

void set_resolution(const PngSession& session, const std::optional<Resolution>& resolution) {
  if (!resolution) return;
  const bool unit = resolution->unit != ResolutionUnit::kNone;
  const double per_metre = !unit ? 1.0 : resolution->unit == ResolutionUnit::kInch ? 100 / 2.54 : 100.0;
  png_set_pHYs(session.png(), session.info(), whole(resolution->x * per_metre), whole(resolution->y * per_metre),
               unit ? PNG_RESOLUTION_METER : PNG_RESOLUTION_UNKNOWN);
}

}  // namespace

std::string encode_png(const Image& image, const std::string& provenance) {
  const int color = color_type(image);
  std::string out, samples = image.bits == 16 ? interleaved_bytes<std::uint16_t>(image.pixels)
                                              : interleaved_bytes<std::uint8_t>(image.pixels);
  const auto height = static_cast<std::size_t>(image.pixels.size(1));
  std::vector<png_bytep> rows(height);
  for (std::size_t y = 0; y < height; ++y) {
    rows[y] = reinterpret_cast<png_bytep>(samples.data()) + y * (samples.size() / height);
  }
  ImageMetadata metadata = image.metadata;
  metadata.exif = exif_with_orientation(metadata.exif, metadata.orientation);
  Texts texts = texts_of(metadata, provenance);
  const std::vector<png_unknown_chunk> chunks = color_chunks(metadata);

  PngSession session(PngSession::Mode::kWrite);
  png_structp png = session.png();
  png_infop info = session.info();
  png_set_write_fn(png, &out, &append, nullptr);
  const bool written = session.guard([&] {
    png_set_IHDR(png, info, static_cast<png_uint_32>(image.pixels.size(2)), static_cast<png_uint_32>(height),
                 image.bits, color, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (!metadata.icc.empty()) {
      png_set_iCCP(png, info, "icc", PNG_COMPRESSION_TYPE_BASE, reinterpret_cast<png_const_bytep>(metadata.icc.data()),
                   static_cast<png_uint_32>(metadata.icc.size()));
    }
    if (!metadata.exif.empty()) {
      png_set_eXIf_1(png, info, static_cast<png_uint_32>(metadata.exif.size()),
                     reinterpret_cast<png_bytep>(metadata.exif.data()));
    }
    set_resolution(session, metadata.resolution);
    png_set_text(png, info, texts.entries.data(), static_cast<int>(texts.entries.size()));
    png_set_unknown_chunks(png, info, chunks.data(), static_cast<int>(chunks.size()));
    png_write_info(png, info);
    if constexpr (std::endian::native == std::endian::little) png_set_swap(png);
    png_write_image(png, rows.data());
    png_write_end(png, nullptr);
  });
  RESEDA_REQUIRE(written, Errc::kOutput, "cannot write PNG: ", session.failure());
  return out;
}

}  // namespace reseda::io::detail
