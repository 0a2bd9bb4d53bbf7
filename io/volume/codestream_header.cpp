#include "io/volume/codestream_header.hpp"

#include <cstdint>

#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

struct Announced {
  std::int64_t rows = 0, columns = 0;
  int components = 0, bits = 0;
  std::int64_t least_bits = 0;  ///< that the entropy coder spends on so many pixels, however even they are
};

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

constexpr unsigned kLosslessFrame = 0xC3, kJpegLsFrame = 0xF7;

/// Frame headers of ISO 10918-1 (SOF0 ... SOF15) and JPEG-LS (SOF55).
bool is_frame_header(unsigned marker) {
  const bool table_or_jpg = marker == 0xC4 || marker == 0xC8 || marker == 0xCC;
  return (marker >= 0xC0 && marker <= 0xCF && !table_or_jpg) || marker == kJpegLsFrame;
}

/// Of JPEG-LS a bit for a run, which ends with its line and after 2^15 pixels (ISO 14495-1 section A.7.1); of lossless
/// JPEG one for a pixel, of other JPEG one for a block of 8 x 8.
std::int64_t least_bits(unsigned marker, std::int64_t rows, std::int64_t columns) {
  if (marker == kJpegLsFrame) return rows * ((columns + 32767) / 32768);
  if (marker == kLosslessFrame) return rows * columns;
  return ((rows + 7) / 8) * ((columns + 7) / 8);
}

struct Segment {
  unsigned marker = 0;
  std::string_view body;   ///< without marker and length
  std::string_view whole;  ///< with them
};

/// Marker segments from SOI to the first scan, one after the other.
class Segments {
 public:
  Segments(std::string_view stream, const std::string& name) : stream_(stream), name_(name) {}
  Segment next() {
    while (at_ + 1 < stream_.size() && stream_[at_] == '\xFF' && stream_[at_ + 1] == '\xFF') ++at_;
    RESEDA_REQUIRE(at_ + 4 <= stream_.size() && stream_[at_] == '\xFF', Errc::kInput, name_,
                   ": is damaged or cut short: a JPEG segment has no marker");
    const std::uint32_t length = big_endian(stream_.substr(at_ + 2, 2));
    RESEDA_REQUIRE(length >= 2 && length <= stream_.size() - at_ - 2, Errc::kInput, name_,
                   ": is damaged or cut short in its JPEG header");
    const Segment found{static_cast<unsigned char>(stream_[at_ + 1]), stream_.substr(at_ + 4, length - 2),
                        stream_.substr(at_, 2 + length)};
    at_ += 2 + length;
    return found;
  }
  std::string_view rest() const { return stream_.substr(at_); }

 private:
  std::string_view stream_;
  const std::string& name_;
  std::size_t at_ = 2;
};

constexpr unsigned kHuffmanTables = 0xC4, kScan = 0xDA, kQuantisation = 0xDB, kRestarts = 0xDD, kPresets = 0xF8;

/// The one frame header of JPEG or JPEG-LS: bits, rows, columns, components. Of JPEG-LS also that the largest sample of
/// its presets (ISO 14495-1 section C.2.4.1.1) fits the bits.
Announced jpeg_sizes(std::string_view stream, const std::string& name) {
  Segments segments(stream, name);
  Announced found;
  std::uint32_t largest = 0;
  for (Segment segment = segments.next(); segment.marker != kScan; segment = segments.next()) {
    const std::string_view body = segment.body;
    if (segment.marker == kPresets && body.size() >= 3 && body[0] == 1) largest = big_endian(body.substr(1, 2));
    if (!is_frame_header(segment.marker) || body.size() < 6) continue;
    RESEDA_REQUIRE(found.components == 0, Errc::kInput, name, ": is damaged: a JPEG frame has two headers");
    found = {big_endian(body.substr(1, 2)), big_endian(body.substr(3, 2)), static_cast<unsigned char>(body[5]),
             static_cast<unsigned char>(body[0]), 0};
    found.least_bits = least_bits(segment.marker, found.rows, found.columns);
  }
  RESEDA_REQUIRE(found.components > 0, Errc::kInput, name, ": is damaged: a JPEG frame has no header");
  RESEDA_REQUIRE(found.bits >= 16 || largest >> found.bits == 0, Errc::kInput, name,
                 ": is damaged: a JPEG-LS frame of ", found.bits, " bits has samples up to ", largest);
  return found;
}

/// The SIZ segment of ISO 15444-1, which follows SOC.
Announced jpeg2000_sizes(std::string_view stream, const std::string& name) {
  RESEDA_REQUIRE(stream.size() >= 45 && big_endian(stream.substr(2, 2)) == 0xFF51, Errc::kInput, name,
                 ": is damaged: a JPEG 2000 frame has no size");
  const auto field = [&](std::size_t at) { return static_cast<std::int64_t>(big_endian(stream.substr(at, 4))); };
  return {field(12) - field(20), field(8) - field(16), static_cast<int>(big_endian(stream.substr(40, 2))),
          (static_cast<unsigned char>(stream[42]) & 0x7F) + 1, 0};
}

}  // namespace

int check_codestream(std::string_view stream, const PixelFormat& format, const std::string& name) {
  Announced found;
  if (stream.starts_with("\xFF\xD8")) {
    found = jpeg_sizes(stream, name);
  } else {
    RESEDA_REQUIRE(stream.starts_with("\xFF\x4F"), Errc::kInput, name, ": a frame is no JPEG codestream");
    found = jpeg2000_sizes(stream, name);
  }
  RESEDA_REQUIRE(found.rows == format.rows && found.columns == format.columns && found.components == 1, Errc::kInput,
                 name, ": a compressed frame has ", found.columns, " x ", found.rows, " pixels of ", found.components,
                 " components, the header says ", format.columns, " x ", format.rows, " of 1");
  RESEDA_REQUIRE(found.bits >= 2 && found.bits <= format.allocated, Errc::kInput, name, ": a compressed frame has ",
                 found.bits, " bits, the header allows ", format.allocated);
  RESEDA_REQUIRE(found.least_bits <= 8 * static_cast<std::int64_t>(stream.size()), Errc::kInput, name,
                 ": is damaged: a compressed frame of ", format.columns, " x ", format.rows, " pixels has ",
                 stream.size(), " bytes, expected ", (found.least_bits + 7) / 8, " at least");
  return found.bits;
}

std::string bare_jpeg(std::string_view stream, const std::string& name) {
  Segments segments(stream, name);
  std::string out(stream.substr(0, 2));
  while (true) {
    const Segment segment = segments.next();
    const bool ignored = (segment.marker >= 0xE0 && segment.marker <= 0xEF) || segment.marker == 0xFE;
    const bool known = is_frame_header(segment.marker) || segment.marker == kHuffmanTables || segment.marker == kScan ||
                       segment.marker == kQuantisation || segment.marker == kRestarts;
    RESEDA_REQUIRE(ignored || known, Errc::kInput, name, ": is damaged: a JPEG segment is unknown");
    if (known) out += segment.whole;
    if (segment.marker == kScan) return out.append(segments.rest());
  }
}

std::string closed_jpeg(std::string_view stream) { return std::string(stream) + "\xFF\xD9"; }

}  // namespace reseda::io::detail
