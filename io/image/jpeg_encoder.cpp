#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <vector>

#include "io/image/exif.hpp"
#include "io/image/icc_profile.hpp"
#include "io/image/jpeg_codec.hpp"
#include "io/image/jpeg_session.hpp"
#include "io/image/sample_rows.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

constexpr std::size_t kMaxSegmentBytes = 65533;

class Compressor {
 public:
  Compressor() {
    codec_.err = errors_.manager();
    codec_.client_data = &errors_;
    const bool created = errors_.guard([&] {
      jpeg_create_compress(&codec_);
      jpeg_mem_dest(&codec_, &data_, &size_);
    });
    RESEDA_INVARIANT(created);
  }
  ~Compressor() {
    jpeg_destroy_compress(&codec_);
    std::free(data_);
  }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  jpeg_compress_struct& codec() { return codec_; }
  JpegErrors& errors() { return errors_; }
  std::string bytes() const { return {reinterpret_cast<const char*>(data_), size_}; }

 private:
  JpegErrors errors_;
  jpeg_compress_struct codec_{};
  unsigned char* data_ = nullptr;
  unsigned long size_ = 0;
};

void write_segment(jpeg_compress_struct& codec, int marker, const std::string& data) {
  if (data.size() > kMaxSegmentBytes) return;
  jpeg_write_marker(&codec, marker, reinterpret_cast<const JOCTET*>(data.data()), static_cast<unsigned>(data.size()));
}

void set_resolution(jpeg_compress_struct& codec, const std::optional<Resolution>& resolution) {
  if (!resolution) return;
  const auto whole = [](double value) { return static_cast<UINT16>(std::clamp(std::round(value), 1.0, 65535.0)); };
  codec.density_unit = resolution->unit == ResolutionUnit::kInch   ? 1
                       : resolution->unit == ResolutionUnit::kNone ? 0
                                                                   : 2;
  codec.X_density = whole(resolution->x);
  codec.Y_density = whole(resolution->y);
}

/// Segments of what an image says, each whole or not at all.
struct Segments {
  std::string exif, xmp;
  std::vector<std::string> comments;
};

Segments segments_of(const ImageMetadata& metadata, const std::string& provenance) {
  Segments out;
  const std::string exif = exif_with_orientation(metadata.exif, metadata.orientation);
  if (!exif.empty()) out.exif = std::string(kExifStart) + exif;
  if (!metadata.xmp.empty()) out.xmp = std::string(kXmpStart) + metadata.xmp;
  for (const auto& [keyword, text] : metadata.text) {
    if (keyword == "Comment") out.comments.push_back(text);
  }
  if (!provenance.empty()) out.comments.push_back(provenance);
  return out;
}

}  // namespace

std::string encode_jpeg(const Image& image, int quality, const std::string& provenance) {
  const std::int64_t channels = image.pixels.size(0), height = image.pixels.size(1), width = image.pixels.size(2);
  RESEDA_REQUIRE(image.type == SampleType::kUnsigned && image.bits == 8, Errc::kOutput,
                 "JPEG holds 8-bit unsigned samples, got ", image.bits, " bits; write .png or .tif");
  RESEDA_REQUIRE(image.alpha == Alpha::kNone && (channels == 1 || channels == 3), Errc::kOutput,
                 "JPEG holds 1 or 3 channels without alpha, got ", channels, "; write .png or .tif");
  RESEDA_REQUIRE(width <= JPEG_MAX_DIMENSION && height <= JPEG_MAX_DIMENSION, Errc::kOutput, "JPEG holds sides up to ",
                 JPEG_MAX_DIMENSION, " pixels, got ", width, " x ", height, "; write .png or .tif");
  std::string samples = interleaved_bytes<std::uint8_t>(image.pixels);
  const Segments segments = segments_of(image.metadata, provenance);
  const std::string icc = profile_for(image.metadata.icc, channels);

  Compressor compressor;
  jpeg_compress_struct& codec = compressor.codec();
  const bool written = compressor.errors().guard([&] {
    codec.image_width = static_cast<JDIMENSION>(width);
    codec.image_height = static_cast<JDIMENSION>(height);
    codec.input_components = static_cast<int>(channels);
    codec.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&codec);
    jpeg_set_quality(&codec, quality, TRUE);
    codec.dct_method = JDCT_ISLOW;
    codec.optimize_coding = TRUE;
    codec.comp_info[0].h_samp_factor = codec.comp_info[0].v_samp_factor = 1;
    set_resolution(codec, image.metadata.resolution);
    jpeg_start_compress(&codec, TRUE);
    if (!segments.exif.empty()) write_segment(codec, kApp1, segments.exif);
    if (!segments.xmp.empty()) write_segment(codec, kApp1, segments.xmp);
    if (!icc.empty()) {
      jpeg_write_icc_profile(&codec, reinterpret_cast<const JOCTET*>(icc.data()), static_cast<unsigned>(icc.size()));
    }
    for (const std::string& comment : segments.comments) write_segment(codec, JPEG_COM, comment);
    auto* row = reinterpret_cast<JSAMPROW>(samples.data());
    for (std::int64_t y = 0; y < height; ++y, row += width * channels) jpeg_write_scanlines(&codec, &row, 1);
    jpeg_finish_compress(&codec);
  });
  RESEDA_REQUIRE(written, Errc::kOutput, "cannot write JPEG: ", compressor.errors().failure());
  return compressor.bytes();
}

}  // namespace reseda::io::detail
