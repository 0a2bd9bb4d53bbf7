#include "io/image/tiff_page.hpp"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "io/image/image_checks.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {

/// A file in memory as libtiff reads it, and libtiff's first complaint.
struct TiffPage::Source {
  std::string_view bytes;
  std::uint64_t position = 0;
  std::string failure;

  static tmsize_t read(thandle_t self, void* out, tmsize_t size) {
    auto* source = static_cast<Source*>(self);
    const std::uint64_t end = source->bytes.size(), begin = std::min(source->position, end);
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(static_cast<std::uint64_t>(size), end - begin));
    std::memcpy(out, source->bytes.data() + begin, count);
    source->position = begin + count;
    return static_cast<tmsize_t>(count);
  }
  static toff_t seek(thandle_t self, toff_t offset, int whence) {
    auto* source = static_cast<Source*>(self);
    const std::uint64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? source->position : source->bytes.size();
    return source->position = base + offset;
  }
  static toff_t size(thandle_t self) { return static_cast<Source*>(self)->bytes.size(); }
  static int complain(TIFF*, void* self, const char*, const char* format, va_list words) {
    std::string& failure = static_cast<Source*>(self)->failure;
    std::array<char, 256> text{};
    std::vsnprintf(text.data(), text.size(), format, words);
    if (failure.empty()) failure = text.data();
    std::replace_if(
        failure.begin(), failure.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
    return 1;
  }
};

TiffPage::TiffPage(std::string_view bytes, std::uint32_t number, const std::string& name, const ImageLimits& limits)
    : name_(name), file_bytes_(bytes.size()), source_(std::make_shared<Source>()) {
  source_->bytes = bytes;
  const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(TIFFOpenOptionsAlloc(),
                                                                             &TIFFOpenOptionsFree);
  constexpr tmsize_t kBytesPerSample = 8, kSlack = 1 << 20;
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), static_cast<tmsize_t>(limits.samples) * kBytesPerSample + kSlack);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), &Source::complain, source_.get());
  TIFFOpenOptionsSetWarningHandlerExtR(
      options.get(), [](TIFF*, void*, const char*, const char*, va_list) { return 1; }, nullptr);
  const auto no_write = [](thandle_t, void*, tmsize_t) -> tmsize_t { return 0; };
  const auto keep_open = [](thandle_t) { return 0; };
  const auto no_map = [](thandle_t, void**, toff_t*) { return 0; };
  const auto no_unmap = [](thandle_t, void*, toff_t) {};
  file_.reset(TIFFClientOpenExt(name.c_str(), "rm", source_.get(), &Source::read, no_write, &Source::seek, keep_open,
                                &Source::size, no_map, no_unmap, options.get()));
  require(file_ != nullptr && TIFFSetDirectory(file_.get(), number) == 1, "its directory");
}

void TiffPage::require(bool done, const char* what) const {
  RESEDA_REQUIRE(done, Errc::kInput, name_, ": cannot be decoded as TIFF (damaged or cut short): ",
                 source_->failure.empty() ? what : source_->failure.c_str());
}

std::uint64_t TiffPage::field(std::uint32_t tag, std::uint64_t otherwise) const {
  std::uint32_t wide = 0;
  std::uint16_t narrow = 0;
  switch (tag) {
    case TIFFTAG_IMAGEWIDTH:
    case TIFFTAG_IMAGELENGTH:
    case TIFFTAG_TILEWIDTH:
    case TIFFTAG_TILELENGTH:
    case TIFFTAG_ROWSPERSTRIP:
      return TIFFGetFieldDefaulted(file_.get(), tag, &wide) == 1 ? wide : otherwise;
    default:
      return TIFFGetFieldDefaulted(file_.get(), tag, &narrow) == 1 ? narrow : otherwise;
  }
}

double TiffPage::expansion() const {
  const std::uint64_t compression = field(TIFFTAG_COMPRESSION, COMPRESSION_NONE);
  switch (compression) {
    case COMPRESSION_NONE:
      return 1;
    case COMPRESSION_PACKBITS:
      return 64;  // two bytes make at most 128
    case COMPRESSION_LZW:
      return 2560;  // a code of 12 bits stands for at most 3839 bytes
    case COMPRESSION_DEFLATE:
    case COMPRESSION_ADOBE_DEFLATE:
      return 1032;
    default: {
      const TIFFCodec* codec = TIFFFindCODEC(static_cast<std::uint16_t>(compression));
      reseda::detail::raise(Errc::kInput, name_, ": is compressed by ", codec != nullptr ? codec->name : "scheme", " (",
                            compression, "), expected none, PackBits, LZW or Deflate");
    }
  }
}

void TiffPage::read_photometric(TiffLayout& layout) const {
  constexpr std::uint64_t kAbsent = 0xFFFF;
  const std::uint64_t photometric = field(TIFFTAG_PHOTOMETRIC, kAbsent);
  layout.white_is_zero = photometric == PHOTOMETRIC_MINISWHITE;
  layout.palette = photometric == PHOTOMETRIC_PALETTE;
  const std::int64_t colors = photometric == PHOTOMETRIC_RGB ? 3 : 1;
  RESEDA_REQUIRE(photometric <= PHOTOMETRIC_PALETTE || photometric == kAbsent, Errc::kInput, name_,
                 ": is of photometric interpretation ", photometric,
                 photometric == PHOTOMETRIC_SEPARATED ? " (CMYK)" : "", ", expected grey, RGB or a palette");
  RESEDA_REQUIRE(layout.channels >= colors, Errc::kInput, name_, ": has ", layout.channels,
                 " channels, expected at least 3 of RGB");
  RESEDA_REQUIRE(!layout.palette || layout.channels == 1, Errc::kInput, name_, ": has a palette and ", layout.channels,
                 " channels, expected 1");
  std::uint16_t extras = 0;
  std::uint16_t* kinds = nullptr;
  if (TIFFGetField(file_.get(), TIFFTAG_EXTRASAMPLES, &extras, &kinds) != 1 || extras == 0) return;
  if (layout.channels != colors + extras) return;
  if (kinds[extras - 1] == EXTRASAMPLE_UNASSALPHA) layout.alpha = Alpha::kStraight;
  if (kinds[extras - 1] == EXTRASAMPLE_ASSOCALPHA) layout.alpha = Alpha::kPremultiplied;
}

void TiffPage::read_samples(TiffLayout& layout) const {
  const std::uint64_t format = field(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
  layout.bits = static_cast<int>(field(TIFFTAG_BITSPERSAMPLE, 1));
  layout.type = format == SAMPLEFORMAT_IEEEFP ? SampleType::kFloat
                : format == SAMPLEFORMAT_INT  ? SampleType::kSigned
                                              : SampleType::kUnsigned;
  RESEDA_REQUIRE(format <= SAMPLEFORMAT_VOID, Errc::kInput, name_, ": has complex samples, expected real ones");
  const bool low = layout.bits == 1 || layout.bits == 2 || layout.bits == 4;
  const bool high = layout.bits == 16 || layout.bits == 32;
  const bool known = layout.type == SampleType::kFloat    ? high || layout.bits == 64
                     : layout.type == SampleType::kSigned ? high || layout.bits == 8
                                                          : high || layout.bits == 8 || low;
  RESEDA_REQUIRE(known, Errc::kInput, name_, ": has samples of ", layout.bits, " bits (sample format ", format,
                 "), expected 1, 2, 4, 8, 16 or 32-bit integers or 16, 32 or 64-bit floats");
  const bool invertible = layout.type == SampleType::kUnsigned && layout.bits <= 16;
  RESEDA_REQUIRE(!layout.white_is_zero || invertible, Errc::kInput, name_,
                 ": is WhiteIsZero with samples that are not 1 to 16-bit unsigned integers");
  RESEDA_REQUIRE(!layout.palette || (layout.type == SampleType::kUnsigned && layout.bits <= 8), Errc::kInput, name_,
                 ": has a palette and samples of ", layout.bits, " bits, expected at most 8");
}

void TiffPage::read_tiling(TiffLayout& layout, const ImageLimits& limits) const {
  layout.planar = layout.channels > 1 && field(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE;
  layout.tiled = TIFFIsTiled(file_.get()) != 0;
  if (layout.tiled) {
    layout.tile_width = static_cast<std::int64_t>(field(TIFFTAG_TILEWIDTH, 0));
    layout.tile_height = static_cast<std::int64_t>(field(TIFFTAG_TILELENGTH, 0));
  } else {
    layout.tile_width = layout.width;
    layout.tile_height = std::min(layout.height, static_cast<std::int64_t>(field(TIFFTAG_ROWSPERSTRIP, 0)));
  }
  require(layout.tile_width > 0 && layout.tile_height > 0, "tiles without pixels");
  RESEDA_REQUIRE(layout.tile_height <= limits.samples / layout.tile_width / layout.tile_channels(), Errc::kInput, name_,
                 ": its tiles of ", layout.tile_width, " x ", layout.tile_height, " pixels are more than the limit of ",
                 limits.samples, " samples");
  layout.tiles_across = (layout.width - 1) / layout.tile_width + 1;
  layout.tiles_down = (layout.height - 1) / layout.tile_height + 1;
  layout.tile_row_bytes = (layout.tile_width * layout.tile_channels() * layout.bits + 7) / 8;
}

TiffLayout TiffPage::layout(const ImageLimits& limits) const {
  TiffLayout layout;
  layout.width = static_cast<std::int64_t>(field(TIFFTAG_IMAGEWIDTH, 0));
  layout.height = static_cast<std::int64_t>(field(TIFFTAG_IMAGELENGTH, 0));
  layout.channels = static_cast<std::int64_t>(field(TIFFTAG_SAMPLESPERPIXEL, 1));
  read_photometric(layout);
  read_samples(layout);
  const ClaimedSize size{layout.width, layout.height, layout.palette ? 3 : layout.channels};
  check_size(size, limits, name_);
  read_tiling(layout, limits);
  // A tile may be larger than the image, and must be in the file as a whole; a strip ends where the image does.
  const double rows = layout.tiled ? static_cast<double>(layout.tiles_down) * static_cast<double>(layout.tile_height)
                                   : static_cast<double>(layout.height);
  const double raw = rows * static_cast<double>(layout.tile_row_bytes) * static_cast<double>(layout.tiles_across) *
                     (layout.planar ? static_cast<double>(layout.channels) : 1.0);
  check_plausible(size, raw, expansion(), file_bytes_, name_);
  layout.tile_bytes = layout.tile_row_bytes * layout.tile_height;
  return layout;
}

void TiffPage::read_tile(const TiffLayout& layout, std::int64_t tile, void* out) const {
  const std::int64_t row = tile / layout.tiles_across % layout.tiles_down * layout.tile_height;
  const std::int64_t rows = layout.tiled ? layout.tile_height : std::min(layout.tile_height, layout.height - row);
  const auto size = static_cast<tmsize_t>(rows * layout.tile_row_bytes);
  const auto number = static_cast<std::uint32_t>(tile);
  const tmsize_t got = layout.tiled ? TIFFReadEncodedTile(file_.get(), number, out, size)
                                    : TIFFReadEncodedStrip(file_.get(), number, out, size);
  require(got == size, "pixels are missing");
}

TiffPage::Palette TiffPage::palette() const {
  std::uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
  require(TIFFGetField(file_.get(), TIFFTAG_COLORMAP, &red, &green, &blue) == 1, "the palette is missing");
  return {red, green, blue};
}

}  // namespace reseda::io::detail
