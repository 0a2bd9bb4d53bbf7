#include "io/volume/dicom_pixels.hpp"

#include <algorithm>
#include <cstring>

#include "io/volume/dicom_tags.hpp"
#include "io/volume/pixel_codec.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

std::int64_t whole(const DicomFile& file, DicomTag tag, const char* keyword, std::int64_t least, std::int64_t most) {
  const std::optional<double> value = file.dataset.number(tag);
  RESEDA_REQUIRE(value.has_value(), Errc::kInput, file.name, ": ", keyword, " is missing");
  RESEDA_REQUIRE(*value >= static_cast<double>(least) && *value <= static_cast<double>(most), Errc::kInput, file.name,
                 ": ", keyword, " is ", *value, ", expected ", least, " to ", most);
  return static_cast<std::int64_t>(*value);
}

/// The fragments at which frames start. One fragment may hold a frame, or all of them one; else the table of offsets
/// tells, or, without one, the marker with which JPEG codestreams start.
std::vector<std::size_t> frame_starts(const DicomFile& file, std::int64_t frames) {
  const std::size_t count = static_cast<std::size_t>(frames), fragments = file.pixels.size();
  std::vector<std::size_t> starts;
  if (count == 1) {
    starts = {0};
  } else if (fragments == count) {
    for (std::size_t i = 0; i < count; ++i) starts.push_back(i);
  } else if (file.offsets.size() == count) {
    std::size_t offset = 0;
    for (std::size_t i = 0; i < fragments && starts.size() < count; ++i) {
      if (offset == file.offsets[starts.size()]) starts.push_back(i);
      offset += 8 + file.pixels[i].size();
    }
  } else {
    for (std::size_t i = 0; i < fragments; ++i)
      if (file.pixels[i].starts_with("\xFF\xD8") || file.pixels[i].starts_with("\xFF\x4F")) starts.push_back(i);
  }
  RESEDA_REQUIRE(starts.size() == count && fragments > 0 && starts.front() == 0, Errc::kInput, file.name,
                 ": cannot tell which of its ", fragments, " pieces of pixel data belong to which of ", frames,
                 " frames");
  starts.push_back(fragments);
  return starts;
}

template <class Raw>
void unpack(std::string_view bytes, const PixelFormat& format, bool swapped, std::span<std::int32_t> out) {
  // The value goes to the top of an int, unused bits above it fall off; then down again with its sign.
  const int up = 31 - format.high_bit, down = 32 - format.stored;
  for (std::size_t i = 0; i < out.size(); ++i) {
    Raw raw;
    std::memcpy(&raw, bytes.data() + i * sizeof(Raw), sizeof(Raw));
    if (swapped) raw = static_cast<Raw>(__builtin_bswap16(raw));
    const std::uint32_t top = static_cast<std::uint32_t>(raw) << up;
    out[i] = format.is_signed ? static_cast<std::int32_t>(top) >> down : static_cast<std::int32_t>(top >> down);
  }
}

template <class Raw>
void pack(std::span<const std::int32_t> stored, const PixelFormat& format, char* out) {
  const int shift = format.high_bit + 1 - format.stored;
  const auto mask = static_cast<Raw>((1U << format.stored) - 1);
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const auto raw = static_cast<Raw>((static_cast<Raw>(stored[i]) & mask) << shift);
    std::memcpy(out + i * sizeof(Raw), &raw, sizeof(Raw));
  }
}

}  // namespace

PixelFormat read_pixel_format(const DicomFile& file) {
  const DicomDataset& dataset = file.dataset;
  RESEDA_REQUIRE(file.has_pixels, Errc::kInput, file.name, ": has no pixel data");
  PixelFormat format;
  format.rows = whole(file, tags::kRows, "Rows", 1, 65535);
  format.columns = whole(file, tags::kColumns, "Columns", 1, 65535);
  if (dataset.has(tags::kNumberOfFrames))
    format.frames = whole(file, tags::kNumberOfFrames, "NumberOfFrames", 1, 1 << 24);
  const std::string colours = dataset.text(tags::kPhotometricInterpretation);
  format.monochrome1 = colours == "MONOCHROME1";
  RESEDA_REQUIRE((format.monochrome1 || colours == "MONOCHROME2") && dataset.number(tags::kSamplesPerPixel) == 1.0,
                 Errc::kInput, file.name, ": PhotometricInterpretation is '", colours,
                 "', expected one sample of MONOCHROME1 or MONOCHROME2");
  format.allocated = static_cast<int>(whole(file, tags::kBitsAllocated, "BitsAllocated", 8, 16));
  RESEDA_REQUIRE(format.allocated % 8 == 0, Errc::kInput, file.name, ": BitsAllocated is ", format.allocated,
                 ", expected 8 or 16");
  format.stored = static_cast<int>(whole(file, tags::kBitsStored, "BitsStored", 1, format.allocated));
  format.high_bit = static_cast<int>(whole(file, tags::kHighBit, "HighBit", format.stored - 1, format.allocated - 1));
  format.is_signed = whole(file, tags::kPixelRepresentation, "PixelRepresentation", 0, 1) == 1;
  RESEDA_REQUIRE(!file.big_endian || format.allocated == 16, Errc::kInput, file.name,
                 ": 8-bit pixels in big endian are not read");
  const std::uint64_t need = format.frame_bytes() * static_cast<std::uint64_t>(format.frames);
  RESEDA_REQUIRE(file.encapsulated || file.pixels.front().size() >= need, Errc::kInput, file.name,
                 ": is cut short: has ", file.encapsulated ? 0 : file.pixels.front().size(),
                 " bytes of pixel data, expected ", need);
  return format;
}

PixelReader::PixelReader(const DicomFile& file, const PixelFormat& format) : file_(file), format_(format) {
  if (file.encapsulated) first_fragment_ = frame_starts(file, format.frames);
}

std::string PixelReader::codestream(std::int64_t frame) const {
  std::string stream;
  for (std::size_t i = first_fragment_[static_cast<std::size_t>(frame)];
       i < first_fragment_[static_cast<std::size_t>(frame) + 1]; ++i)
    stream += file_.pixels[i];
  return stream;
}

Samples PixelReader::read(std::int64_t frame, std::string& decoded) const {
  RESEDA_INVARIANT(frame >= 0 && frame < format_.frames);
  if (file_.encapsulated) {
    decoded = decode_frame(codestream(frame), format_, file_.transfer_syntax, file_.name);
    return {decoded};
  }
  const std::size_t size = format_.frame_bytes();
  return {file_.pixels.front().substr(static_cast<std::size_t>(frame) * size, size), file_.big_endian};
}

void unpack_samples(const Samples& samples, const PixelFormat& format, std::size_t first, std::span<std::int32_t> out) {
  RESEDA_INVARIANT((first + out.size()) * format.sample_bytes() <= samples.bytes.size());
  const std::string_view bytes = samples.bytes.substr(first * format.sample_bytes());
  if (format.allocated == 8) {
    unpack<std::uint8_t>(bytes, format, false, out);
  } else {
    unpack<std::uint16_t>(bytes, format, samples.big_endian, out);
  }
}

void pack_samples(std::span<const std::int32_t> stored, const PixelFormat& format, char* out) {
  if (format.allocated == 8) {
    pack<std::uint8_t>(stored, format, out);
  } else {
    pack<std::uint16_t>(stored, format, out);
  }
}

}  // namespace reseda::io::detail
