#include "io/volume/rle.hpp"

#include <algorithm>
#include <cstdint>

#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

constexpr std::size_t kHeader = 64, kLongest = 128;
constexpr int kNothing = -128;

std::size_t run_length(std::string_view bytes, std::size_t at) {
  std::size_t end = at + 1;
  while (end < bytes.size() && end - at < kLongest && bytes[end] == bytes[at]) ++end;
  return end - at;
}

/// Runs of two or more as (1 - length, byte), the rest as (length - 1, bytes).
void pack_row(std::string_view row, std::string& out) {
  for (std::size_t at = 0; at < row.size();) {
    const std::size_t run = run_length(row, at);
    if (run >= 2) {
      out += static_cast<char>(1 - static_cast<int>(run));
      out += row[at];
      at += run;
      continue;
    }
    std::size_t end = at + 1;
    while (end < row.size() && end - at < kLongest && run_length(row, end) < 3) ++end;
    out += static_cast<char>(end - at - 1);
    out += row.substr(at, end - at);
    at = end;
  }
}

void put_word(std::string& out, std::size_t at, std::size_t value) {
  for (std::size_t i = 0; i < 4; ++i) out[at + i] = static_cast<char>(value >> 8 * i);
}

std::size_t word_at(std::string_view bytes, std::size_t at) {
  std::size_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

}  // namespace

std::string encode_rle(std::string_view samples, const PixelFormat& format) {
  const auto planes = static_cast<std::size_t>(format.allocated / 8),
             columns = static_cast<std::size_t>(format.columns);
  std::string out(kHeader, '\0'), row(columns, '\0');
  put_word(out, 0, planes);
  for (std::size_t plane = 0; plane < planes; ++plane) {
    put_word(out, 4 + 4 * plane, out.size());
    for (std::size_t r = 0; r < static_cast<std::size_t>(format.rows); ++r) {
      for (std::size_t c = 0; c < columns; ++c) row[c] = samples[(r * columns + c) * planes + (planes - 1 - plane)];
      pack_row(row, out);
    }
    if (out.size() % 2 == 1) out += '\0';
  }
  return out;
}

std::string decode_rle(std::string_view stream, const PixelFormat& format, const std::string& name) {
  const auto planes = static_cast<std::size_t>(format.allocated / 8), pixels = format.frame_bytes() / planes;
  RESEDA_REQUIRE(stream.size() >= kHeader && word_at(stream, 0) == planes, Errc::kInput, name,
                 ": is damaged: an RLE frame does not have ", planes, " segments");
  // Two bytes stand for a run of 128 at most.
  RESEDA_REQUIRE(format.frame_bytes() / 64 <= stream.size(), Errc::kInput, name, ": is damaged: an RLE frame of ",
                 format.columns, " x ", format.rows, " pixels has ", stream.size(), " bytes, expected ",
                 format.frame_bytes() / 64, " at least");
  std::string out(format.frame_bytes(), '\0');
  for (std::size_t plane = 0; plane < planes; ++plane) {
    std::size_t at = word_at(stream, 4 + 4 * plane), done = 0;
    while (done < pixels) {
      RESEDA_REQUIRE(at + 1 < stream.size(), Errc::kInput, name, ": is cut short in an RLE segment");
      const int control = static_cast<signed char>(stream[at++]);
      if (control == kNothing) continue;
      const auto count = static_cast<std::size_t>(control >= 0 ? control + 1 : 1 - control);
      RESEDA_REQUIRE(count <= pixels - done && (control < 0 || count <= stream.size() - at), Errc::kInput, name,
                     ": is damaged: an RLE segment has too many pixels");
      for (std::size_t i = 0; i < count; ++i)
        out[(done + i) * planes + (planes - 1 - plane)] = stream[control >= 0 ? at + i : at];
      at += control >= 0 ? count : 1;
      done += count;
    }
  }
  return out;
}

}  // namespace reseda::io::detail
