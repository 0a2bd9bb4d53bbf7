#include "io/record/png.hpp"

#include <zlib.h>

#include <array>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

using Bytes = std::vector<std::uint8_t>;

void append_u32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xFF);
}

void append_chunk(std::string& out, std::string_view type, std::string_view data) {
  append_u32(out, static_cast<std::uint32_t>(data.size()));
  const std::size_t start = out.size();
  out.append(type).append(data);
  const auto* covered = reinterpret_cast<const Bytef*>(out.data() + start);
  append_u32(out, static_cast<std::uint32_t>(::crc32(0, covered, static_cast<uInt>(out.size() - start))));
}

/// The predictor of Paeth 1991: of left, up and upper left the one nearest to left + up - upper left.
int paeth(int left, int up, int corner) {
  const int estimate = left + up - corner;
  const int dl = std::abs(estimate - left), du = std::abs(estimate - up), dc = std::abs(estimate - corner);
  return dl <= du && dl <= dc ? left : du <= dc ? up : corner;
}

/// One row after filter 0 to 4 (none, sub, up, average, Paeth).
void filter_row(int filter, std::span<const std::uint8_t> row, std::span<const std::uint8_t> above, std::size_t step,
                Bytes& out) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    const int left = i < step ? 0 : row[i - step], up = above[i], corner = i < step ? 0 : above[i - step];
    const std::array<int, 5> predicted = {0, left, up, (left + up) / 2, paeth(left, up, corner)};
    out[i] = static_cast<std::uint8_t>(row[i] - predicted[static_cast<std::size_t>(filter)]);
  }
}

long cost(const Bytes& filtered) {
  long sum = 0;
  for (const std::uint8_t byte : filtered) sum += std::abs(static_cast<int>(static_cast<std::int8_t>(byte)));
  return sum;
}

}  // namespace

std::string encode_png(std::span<const std::uint8_t> pixels, std::size_t width, std::size_t height, PngColor color) {
  const std::size_t channels = color == PngColor::kRgb ? 3 : 1, stride = width * channels;
  RESEDA_INVARIANT(width > 0 && height > 0 && width <= 65535 && height <= 65535);
  RESEDA_INVARIANT(pixels.size() == stride * height);
  Bytes raw, best(stride), candidate(stride);
  const Bytes zeros(stride, 0);
  raw.reserve((stride + 1) * height);
  for (std::size_t y = 0; y < height; ++y) {
    const auto row = pixels.subspan(y * stride, stride);
    const auto above = y == 0 ? std::span<const std::uint8_t>(zeros) : pixels.subspan((y - 1) * stride, stride);
    long least = -1;
    std::uint8_t chosen = 0;
    for (int filter = 0; filter < 5; ++filter) {
      filter_row(filter, row, above, channels, candidate);
      const long sum = cost(candidate);
      if (least >= 0 && sum >= least) continue;
      least = sum;
      chosen = static_cast<std::uint8_t>(filter);
      best.swap(candidate);
    }
    raw.push_back(chosen);
    raw.insert(raw.end(), best.begin(), best.end());
  }
  uLongf size = ::compressBound(raw.size());
  std::string packed(size, '\0');
  const int status = ::compress2(reinterpret_cast<Bytef*>(packed.data()), &size, raw.data(), raw.size(), 6);
  RESEDA_INVARIANT(status == Z_OK);
  packed.resize(size);
  std::string header, out("\x89PNG\r\n\x1A\n");
  append_u32(header, static_cast<std::uint32_t>(width));
  append_u32(header, static_cast<std::uint32_t>(height));
  header.append({8, static_cast<char>(color == PngColor::kRgb ? 2 : 0), 0, 0, 0});
  append_chunk(out, "IHDR", header);
  append_chunk(out, "IDAT", packed);
  append_chunk(out, "IEND", "");
  return out;
}

}  // namespace reseda::io
