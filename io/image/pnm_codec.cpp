#include "io/image/pnm_codec.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>
#include <vector>

#include "io/image/image_checks.hpp"
#include "io/image/sample_rows.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// Reads the words of a header; a # starts a comment that ends with its line.
class Header {
 public:
  Header(std::string_view bytes, const std::string& name) : left_(bytes.substr(2)), name_(name) {}

  std::int64_t number() {
    while (!left_.empty() && (is_space(left_.front()) || left_.front() == '#')) {
      left_.remove_prefix(left_.front() == '#' ? std::min(left_.find('\n'), left_.size()) : 1);
    }
    std::int64_t value = 0;
    std::size_t digits = 0;
    for (; digits < left_.size() && left_[digits] >= '0' && left_[digits] <= '9' && digits < 10; ++digits) {
      value = value * 10 + (left_[digits] - '0');
    }
    RESEDA_REQUIRE(digits > 0 && digits < 10, Errc::kInput, name_, ": cannot be decoded as PNM: a number is missing");
    left_.remove_prefix(digits);
    return value;
  }
  /// What follows the one space after the header.
  std::string_view samples() const {
    RESEDA_REQUIRE(!left_.empty() && is_space(left_.front()), Errc::kInput, name_,
                   ": cannot be decoded as PNM: its header does not end");
    return left_.substr(1);
  }

 private:
  std::string_view left_;
  const std::string& name_;
};

/// Between this machine's byte order and high byte first.
void swap_bytes(char* samples, std::size_t count) {
  if constexpr (std::endian::native == std::endian::little) {
    for (std::size_t i = 0; i < count; ++i) std::swap(samples[2 * i], samples[2 * i + 1]);
  }
}

}  // namespace

bool is_pnm(std::string_view bytes) {
  return bytes.size() > 3 && (bytes.starts_with("P5") || bytes.starts_with("P6")) && is_space(bytes[2]);
}

Image decode_pnm(std::string_view bytes, const std::string& name, const ImageLimits& limits) {
  Header header(bytes, name);
  ClaimedSize size;
  size.channels = bytes[1] == '6' ? 3 : 1;
  size.width = header.number();
  size.height = header.number();
  const std::int64_t maximum = header.number();
  const std::string_view samples = header.samples();
  check_size(size, limits, name);
  RESEDA_REQUIRE(maximum == 255 || maximum == 65535, Errc::kInput, name, ": has the maximum ", maximum,
                 ", expected 255 or 65535");
  const std::size_t sample_bytes = maximum == 255 ? 1 : 2;
  const std::size_t row_bytes = static_cast<std::size_t>(size.width * size.channels) * sample_bytes;
  RESEDA_REQUIRE(samples.size() >= row_bytes * static_cast<std::size_t>(size.height), Errc::kInput, name,
                 ": is cut short: its header says ", size.width, " x ", size.height, " pixels of ", size.channels,
                 " channels, ", samples.size(), " bytes follow");
  Image image{at::empty({size.channels, size.height, size.width}, at::kFloat), static_cast<int>(8 * sample_bytes)};
  std::vector<std::uint16_t> row(row_bytes / 2 + 1);  // aligned for both widths
  auto* row_begin = reinterpret_cast<char*>(row.data());
  for (std::int64_t y = 0; y < size.height; ++y) {
    std::memcpy(row_begin, samples.data() + static_cast<std::size_t>(y) * row_bytes, row_bytes);
    const RowPlace place{y, 0, size.width, 0, size.channels};
    if (sample_bytes == 2) {
      swap_bytes(row_begin, row_bytes / 2);
      store_row(row.data(), place, image.pixels);
    } else {
      store_row(reinterpret_cast<const std::uint8_t*>(row_begin), place, image.pixels);
    }
  }
  return image;
}

std::string encode_pnm(const Image& image) {
  const std::int64_t channels = image.pixels.size(0);
  RESEDA_REQUIRE(image.type == SampleType::kUnsigned && image.bits <= 16 && image.alpha == Alpha::kNone &&
                     (channels == 1 || channels == 3),
                 Errc::kOutput, "PGM and PPM hold 1 or 3 channels of 8 or 16-bit unsigned samples, got ", channels,
                 " of ", image.bits, " bits; write .tif");
  std::string samples =
      image.bits == 16 ? interleaved_bytes<std::uint16_t>(image.pixels) : interleaved_bytes<std::uint8_t>(image.pixels);
  if (image.bits == 16) swap_bytes(samples.data(), samples.size() / 2);
  return (channels == 3 ? "P6\n" : "P5\n") + std::to_string(image.pixels.size(2)) + ' ' +
         std::to_string(image.pixels.size(1)) + '\n' + (image.bits == 16 ? "65535" : "255") + '\n' + samples;
}

}  // namespace reseda::io::detail
