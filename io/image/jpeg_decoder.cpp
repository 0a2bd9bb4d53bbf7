#include <ATen/ATen.h>

#include <cstdlib>
#include <vector>

#include "io/image/exif.hpp"
#include "io/image/image_checks.hpp"
#include "io/image/jpeg_codec.hpp"
#include "io/image/jpeg_session.hpp"
#include "io/image/sample_rows.hpp"
#include "modules/core/error.hpp"
#include "modules/core/log.hpp"

namespace reseda::io::detail {
namespace {

// At least one bit for each block of 64 pixels of the component with most blocks.
constexpr double kJpegExpansion = 8 * 64;
// Encoders make about ten; each takes time for the whole image however few bytes it has.
constexpr int kMaxScans = 100;

class Decompressor {
 public:
  explicit Decompressor(std::string_view bytes) {
    codec_.err = errors_.manager();
    codec_.client_data = &errors_;
    const bool created = errors_.guard([&] {
      jpeg_create_decompress(&codec_);
      jpeg_mem_src(&codec_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
      for (const int marker : {kApp1, kApp2, JPEG_COM}) jpeg_save_markers(&codec_, marker, 0xFFFF);
    });
    progress_.progress_monitor = &count_scans;
    codec_.progress = &progress_;
    RESEDA_INVARIANT(created);
  }
  ~Decompressor() { jpeg_destroy_decompress(&codec_); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  jpeg_decompress_struct& codec() { return codec_; }
  JpegErrors& errors() { return errors_; }

 private:
  static void count_scans(j_common_ptr codec) {
    const auto* decoder = reinterpret_cast<j_decompress_ptr>(codec);
    if (decoder->input_scan_number > kMaxScans) static_cast<JpegErrors*>(codec->client_data)->stop("too many scans");
  }

  JpegErrors errors_;
  jpeg_decompress_struct codec_{};
  jpeg_progress_mgr progress_{};
};

void read_profile(Decompressor& decompressor, std::string& icc) {
  JOCTET* data = nullptr;
  unsigned size = 0;
  if (decompressor.errors().guard([&] { jpeg_read_icc_profile(&decompressor.codec(), &data, &size); }) &&
      data != nullptr) {
    icc.assign(reinterpret_cast<const char*>(data), size);
  }
  std::free(data);
}

void read_metadata(Decompressor& decompressor, ImageMetadata& metadata, const std::string& name) {
  const jpeg_decompress_struct& codec = decompressor.codec();
  for (const auto* marker = codec.marker_list; marker != nullptr; marker = marker->next) {
    std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (marker->marker == JPEG_COM) {
      metadata.text.emplace_back("Comment", data);
    } else if (marker->marker == kApp1 && data.starts_with(kExifStart) && metadata.exif.empty()) {
      metadata.exif = data.substr(kExifStart.size());
      metadata.orientation = exif_orientation(metadata.exif);
    } else if (marker->marker == kApp1 && data.starts_with(kXmpStart) && metadata.xmp.empty()) {
      metadata.xmp = data.substr(kXmpStart.size());
    } else if (marker->marker == kApp1 && data.starts_with(std::string_view("FLIR\0", 5))) {
      log::warning(name, ": holds radiometric data that are not read, only the picture made of them; export TIFF");
    }
  }
  const bool says_nothing = codec.density_unit == 0 && codec.X_density == codec.Y_density;
  if (codec.saw_JFIF_marker != 0 && codec.X_density > 0 && codec.Y_density > 0 && !says_nothing) {
    const ResolutionUnit unit = codec.density_unit == 1   ? ResolutionUnit::kInch
                                : codec.density_unit == 2 ? ResolutionUnit::kCentimetre
                                                          : ResolutionUnit::kNone;
    metadata.resolution = {static_cast<double>(codec.X_density), static_cast<double>(codec.Y_density), unit};
  }
  read_profile(decompressor, metadata.icc);
}

}  // namespace

bool is_jpeg(std::string_view bytes) { return bytes.starts_with("\xFF\xD8\xFF"); }

Image decode_jpeg(std::string_view bytes, const std::string& name, const ImageLimits& limits) {
  Decompressor decompressor(bytes);
  jpeg_decompress_struct& codec = decompressor.codec();
  JpegErrors& errors = decompressor.errors();
  const auto require = [&](bool done) {
    RESEDA_REQUIRE(done, Errc::kInput, name, ": cannot be decoded as JPEG: ", errors.failure());
  };
  require(errors.guard([&] { jpeg_read_header(&codec, TRUE); }));
  const ClaimedSize size{codec.image_width, codec.image_height, codec.num_components};
  check_size(size, limits, name);
  check_plausible(size, static_cast<double>(size.width) * static_cast<double>(size.height), kJpegExpansion,
                  bytes.size(), name);
  RESEDA_REQUIRE(size.channels == 1 || size.channels == 3, Errc::kInput, name, ": has ", size.channels,
                 " channels, as CMYK images have; expected grey or RGB");
  codec.out_color_space = size.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  codec.dct_method = JDCT_ISLOW;

  Image image{at::empty({size.channels, size.height, size.width}, at::kFloat), 8};
  std::vector<JSAMPLE> samples(static_cast<std::size_t>(size.width * size.channels));
  JSAMPROW row = samples.data();
  require(errors.guard([&] { jpeg_start_decompress(&codec); }));
  for (std::int64_t y = 0; y < size.height; ++y) {
    require(errors.guard([&] { jpeg_read_scanlines(&codec, &row, 1); }));
    store_row(row, {y, 0, size.width, 0, size.channels}, image.pixels);
  }
  // The next call frees the segments.
  read_metadata(decompressor, image.metadata, name);
  require(errors.guard([&] { jpeg_finish_decompress(&codec); }));
  return image;
}

}  // namespace reseda::io::detail
