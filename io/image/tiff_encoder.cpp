#include <ATen/ATen.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <utility>
#include <vector>

#include "io/image/sample_rows.hpp"
#include "io/image/tiff_codec.hpp"
#include "io/image/tiff_tags.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

static_assert(std::endian::native == std::endian::little, "samples are written in this machine's byte order");

constexpr std::size_t kStripBytes = 1 << 18;
constexpr std::size_t kMostBytes = 0xFFFF'0000;

std::string sample_bytes(const Image& image) {
  const at::Tensor& pixels = image.pixels;
  if (image.type == SampleType::kFloat) return interleaved_bytes<float>(pixels);
  const bool has_sign = image.type == SampleType::kSigned;
  switch (image.bits) {
    case 8:
      return has_sign ? interleaved_bytes<std::int8_t>(pixels) : interleaved_bytes<std::uint8_t>(pixels);
    case 16:
      return has_sign ? interleaved_bytes<std::int16_t>(pixels) : interleaved_bytes<std::uint16_t>(pixels);
    default:
      return has_sign ? interleaved_bytes<std::int32_t>(pixels) : interleaved_bytes<std::uint32_t>(pixels);
  }
}

/// Replaces each sample but a row's first by its difference from the one to the left.
/// @param step  samples of a pixel
template <class T>
void difference(std::string& rows, std::size_t row_samples, std::size_t step) {
  auto* samples = reinterpret_cast<T*>(rows.data());
  for (std::size_t row = 0; row < rows.size() / sizeof(T); row += row_samples) {
    for (std::size_t i = row_samples; i-- > step;) {
      samples[row + i] = static_cast<T>(samples[row + i] - samples[row + i - step]);
    }
  }
}

std::string deflate(const std::string& bytes) {
  uLongf size = compressBound(static_cast<uLong>(bytes.size()));
  std::string out(size, '\0');
  const int done = compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(bytes.data()),
                             static_cast<uLong>(bytes.size()), Z_DEFAULT_COMPRESSION);
  RESEDA_INVARIANT(done == Z_OK);
  out.resize(size);
  return out;
}

struct Strips {
  std::uint32_t rows = 0;  ///< of each strip but the last
  std::vector<std::uint32_t> offsets, sizes;
};

Strips append_strips(const Image& image, bool compressed, bool differenced, std::string& out) {
  const std::string samples = sample_bytes(image);
  const auto height = static_cast<std::size_t>(image.pixels.size(1)),
             step = static_cast<std::size_t>(image.pixels.size(0));
  const std::size_t row_bytes = samples.size() / height,
                    row_samples = step * static_cast<std::size_t>(image.pixels.size(2));
  const std::size_t rows = std::clamp<std::size_t>(kStripBytes / row_bytes, 1, height);
  Strips strips{static_cast<std::uint32_t>(rows), {}, {}};
  for (std::size_t at = 0; at < samples.size(); at += rows * row_bytes) {
    std::string strip = samples.substr(at, rows * row_bytes);
    if (differenced) {
      if (image.bits == 8) difference<std::uint8_t>(strip, row_samples, step);
      if (image.bits == 16) difference<std::uint16_t>(strip, row_samples, step);
      if (image.bits == 32) difference<std::uint32_t>(strip, row_samples, step);
    }
    if (compressed) strip = deflate(strip);
    RESEDA_REQUIRE(out.size() + strip.size() <= kMostBytes, Errc::kOutput,
                   "cannot write TIFF: it would be larger than 4 GiB");
    strips.offsets.push_back(static_cast<std::uint32_t>(out.size()));
    strips.sizes.push_back(static_cast<std::uint32_t>(strip.size()));
    out += strip;
    if (out.size() % 2 != 0) out += '\0';
  }
  return strips;
}

}  // namespace

std::string encode_tiff(const Image& image, TiffCompression compression, const std::string& provenance) {
  const auto channels = static_cast<std::size_t>(image.pixels.size(0));
  const std::size_t without_alpha = image.alpha == Alpha::kNone ? channels : channels - 1;
  const std::size_t colors = without_alpha == 3 ? 3 : 1;
  const auto bits = static_cast<std::uint16_t>(image.bits);
  const bool compressed = compression == TiffCompression::kDeflate;
  const bool differenced = compressed && image.type != SampleType::kFloat;
  std::string out = tiff_header();
  const Strips strips = append_strips(image, compressed, differenced, out);

  TiffDirectory tags;
  const auto add = [&](std::uint16_t number, std::uint16_t value) {
    tags.push_back(short_tag(number, std::array{value}));
  };
  const auto side = [&](std::int64_t dim) { return std::array{static_cast<std::uint32_t>(image.pixels.size(dim))}; };
  tags.push_back(long_tag(256, side(2)));
  tags.push_back(long_tag(257, side(1)));
  tags.push_back(short_tag(258, std::vector<std::uint16_t>(channels, bits)));
  add(259, compressed ? 8 : 1);
  add(262, colors == 3 ? 2 : 1);
  tags.push_back(long_tag(273, strips.offsets));
  add(277, static_cast<std::uint16_t>(channels));
  tags.push_back(long_tag(278, std::array{strips.rows}));
  tags.push_back(long_tag(279, strips.sizes));
  add(284, 1);
  if (differenced) add(317, 2);
  if (channels > colors) {
    std::vector<std::uint16_t> extras(channels - colors, 0);
    if (image.alpha != Alpha::kNone) extras.back() = image.alpha == Alpha::kPremultiplied ? 1 : 2;
    tags.push_back(short_tag(338, extras));
  }
  const std::uint16_t format = image.type == SampleType::kFloat ? 3 : image.type == SampleType::kSigned ? 2 : 1;
  tags.push_back(short_tag(339, std::vector<std::uint16_t>(channels, format)));
  add_tiff_metadata(image.metadata, static_cast<std::int64_t>(without_alpha), provenance, out, tags);
  set_first_directory(out, append_directory(out, std::move(tags)));
  return out;
}

}  // namespace reseda::io::detail
