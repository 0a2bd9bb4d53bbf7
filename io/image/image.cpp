#include "io/image/image.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <utility>

#include "io/image/image_checks.hpp"
#include "io/image/jpeg_codec.hpp"
#include "io/image/png_codec.hpp"
#include "io/image/pnm_codec.hpp"
#include "io/image/tiff_codec.hpp"
#include "io/record/file_bytes.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

// Floats in double precision, and what a file says besides.
constexpr std::size_t kFileBytesPerSample = 8, kMetadataBytes = 256U << 20;
// float32 holds every integer up to here.
constexpr double kLargestExact = 16777216.0;

/// Smallest and largest value that a file of this kind of image may hold.
std::pair<double, double> range(const Image& image) {
  const double high = image.bits == 32 ? kLargestExact : full_scale(image);
  return {image.type == SampleType::kUnsigned ? 0.0 : image.bits == 32 ? -kLargestExact : -high - 1, high};
}

void check_image(const Image& image) {
  const at::Tensor& pixels = image.pixels;
  RESEDA_INVARIANT(pixels.defined() && pixels.dim() == 3 && pixels.scalar_type() == at::kFloat && pixels.is_cpu());
  RESEDA_INVARIANT(image.bits == 32 || (image.type != SampleType::kFloat && (image.bits == 8 || image.bits == 16)));
  RESEDA_REQUIRE(pixels.numel() > 0 && pixels.size(0) <= kMaxImageChannels, Errc::kOutput,
                 "an image to write must have pixels and at most ", kMaxImageChannels, " channels, got ",
                 pixels.sizes());
  RESEDA_REQUIRE(image.alpha == Alpha::kNone || pixels.size(0) >= 2, Errc::kOutput,
                 "an image to write has an alpha channel and no other");
  detail::check_finite(pixels, Errc::kNumeric, "image to write");
}

/// Values that the type of the samples can hold. @return how many were changed to its limits
std::int64_t quantise(Image& image) {
  if (image.type == SampleType::kFloat) return 0;
  const auto [low, high] = range(image);
  const at::Tensor rounded = at::round(image.pixels);
  image.pixels = rounded.clamp(low, high);
  return (image.pixels != rounded).sum().item<std::int64_t>();
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

}  // namespace

double full_scale(const Image& image) {
  if (image.type == SampleType::kFloat) return 1.0;
  return std::exp2(image.type == SampleType::kSigned ? image.bits - 1 : image.bits) - 1.0;
}

const std::vector<std::string>& image_extensions() {
  static const std::vector<std::string> all = {".png", ".tif", ".tiff", ".jpg", ".jpeg", ".pgm", ".ppm", ".pnm"};
  return all;
}

Image decode_image(std::string_view bytes, const std::string& name, const ImageLimits& limits) {
  RESEDA_REQUIRE(!bytes.empty(), Errc::kInput, name, ": is empty (0 bytes), expected an image");
  if (detail::is_png(bytes)) return detail::decode_png(bytes, name, limits);
  if (detail::is_tiff(bytes)) return detail::decode_tiff(bytes, name, limits);
  if (detail::is_jpeg(bytes)) return detail::decode_jpeg(bytes, name, limits);
  if (detail::is_pnm(bytes)) return detail::decode_pnm(bytes, name, limits);
  reseda::detail::raise(Errc::kInput, name, ": is not an image that can be read, expected PNG, TIFF, JPEG, PGM or PPM");
}

Image read_image(const std::filesystem::path& file, const ImageLimits& limits) {
  const std::size_t most = static_cast<std::size_t>(limits.samples) * kFileBytesPerSample + kMetadataBytes;
  return decode_image(read_file(file, most), file.string(), limits);
}

EncodedImage encode_image(const Image& image, const std::string& extension, const ImageWriteOptions& options) {
  RESEDA_REQUIRE(options.jpeg_quality >= 1 && options.jpeg_quality <= 100, Errc::kUsage,
                 "JPEG quality must be 1 to 100, got ", options.jpeg_quality);
  check_image(image);
  Image whole = image;
  EncodedImage out;
  out.clipped = quantise(whole);
  const std::string kind = lower(extension);
  if (kind == ".png") {
    out.bytes = detail::encode_png(whole, options.provenance);
  } else if (kind == ".tif" || kind == ".tiff") {
    out.bytes = detail::encode_tiff(whole, options.tiff_compression, options.provenance);
  } else if (kind == ".jpg" || kind == ".jpeg") {
    out.bytes = detail::encode_jpeg(whole, options.jpeg_quality, options.provenance);
  } else {
    const auto& known = image_extensions();
    RESEDA_REQUIRE(std::find(known.begin(), known.end(), kind) != known.end(), Errc::kOutput,
                   "cannot write an image named '", extension, "', expected .png, .tif, .jpg, .pgm or .ppm");
    out.bytes = detail::encode_pnm(whole);
  }
  return out;
}

std::int64_t write_image(const std::filesystem::path& file, const Image& image, const ImageWriteOptions& options) {
  EncodedImage encoded;
  try {
    encoded = encode_image(image, file.extension().string(), options);
  } catch (const Error& error) {
    throw Error(error.code(), file.string() + ": " + error.what());
  }
  write_file(file, encoded.bytes, options.existing);
  return encoded.clipped;
}

}  // namespace reseda::io
