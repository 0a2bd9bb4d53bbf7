#include "io/volume/derived_file.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "io/record/file_bytes.hpp"
#include "io/volume/derived_attributes.hpp"
#include "io/volume/dicom_file.hpp"
#include "io/volume/dicom_frame.hpp"
#include "io/volume/dicom_pixels.hpp"
#include "io/volume/dicom_tags.hpp"
#include "io/volume/dicom_writer.hpp"
#include "io/volume/padding.hpp"
#include "io/volume/pixel_codec.hpp"
#include "io/volume/refined_grid.hpp"
#include "io/volume/slice_values.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

struct SourceFile {
  DicomFile file;
  PixelFormat format;
  std::vector<DicomFrame> frames;
};

SourceFile open_source(const DicomSeries& series, const FileSlices& slices, const Refinement& refinement) {
  SourceFile source;
  source.file = open_dicom(series.slices[slices.front()].file);
  source.format = read_pixel_format(source.file);
  source.frames = read_frames(source.file, source.format);
  for (const std::size_t k : slices) check_slice(source.file, source.format, series, series.slices[k]);
  const bool enhanced = source.file.dataset.has(tags::kPerFrameFunctionalGroupsSequence) || source.format.frames > 1;
  RESEDA_REQUIRE(!enhanced || (refinement.slices == 1 && refinement.pixels == 1), Errc::kOutput, source.file.name,
                 ": has functional groups or several frames, of which no finer grid is written");
  return source;
}

PixelFormat refined(PixelFormat format, const Refinement& refinement) {
  format.rows *= refinement.pixels;
  format.columns *= refinement.pixels;
  return format;
}

/// Every sample repeated along rows and columns.
Samples repeated(const Samples& samples, const PixelFormat& format, std::size_t times, std::string& room) {
  if (times == 1) return samples;
  const std::size_t size = format.sample_bytes(), row_bytes = static_cast<std::size_t>(format.columns) * size;
  room.clear();
  for (std::size_t row = 0; row < static_cast<std::size_t>(format.rows); ++row) {
    std::string wide;
    for (std::size_t at = row * row_bytes; at < (row + 1) * row_bytes; at += size)
      for (std::size_t i = 0; i < times; ++i) wide += samples.bytes.substr(at, size);
    for (std::size_t i = 0; i < times; ++i) room += wide;
  }
  return {room, samples.big_endian};
}

std::span<const float> values_of(const at::Tensor& voxels, std::size_t slice, const PixelFormat& format) {
  return {voxels.const_data_ptr<float>() + slice * format.frame_pixels(), format.frame_pixels()};
}

std::size_t new_slice(std::size_t k, const DerivedFile& file, const Refinement& refinement) {
  return k * static_cast<std::size_t>(refinement.slices) + static_cast<std::size_t>(file.part);
}

/// How samples are stored: as those of the source, or as signed 16-bit integers by the derivation's own scale.
PixelFormat stored_format(const PixelFormat& source, const Derivation& derivation) {
  PixelFormat format = refined(source, derivation.refinement);
  if (!derivation.scale) return format;
  format.allocated = format.stored = 16;
  format.high_bit = 15;
  format.is_signed = true;
  format.monochrome1 = false;
  return format;
}

/// Frames as they will be stored, padding as in the source. @param pieces  takes their samples
std::vector<QuantisedFrame> quantise_frames(const SourceFile& source, const DicomSeries& series,
                                            const DerivedFile& file, const at::Tensor& voxels,
                                            const Derivation& derivation, std::vector<std::string>& pieces) {
  const Refinement& refinement = derivation.refinement;
  const PixelFormat format = stored_format(source.format, derivation);
  std::optional<PixelPadding> padding;
  if (!derivation.scale) padding = read_padding(source.file, source.format);
  const PixelReader pixels(source.file, source.format);
  const auto times = static_cast<std::size_t>(refinement.pixels);
  std::string decoded, wide;
  std::vector<QuantisedFrame> frames;
  pieces.resize(file.slices.size());
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::size_t k = file.slices[i];
    const std::int64_t frame = series.slices[k].frame;
    Samples samples;
    if (padding) samples = repeated(pixels.read(frame, decoded), source.format, times, wide);
    DicomFrame scaled = source.frames[static_cast<std::size_t>(frame)];
    if (derivation.scale) {
      scaled.slope = derivation.scale->slope;
      scaled.intercept = 0;
    }
    frames.push_back(quantise(values_of(voxels, new_slice(k, file, refinement), format), scaled, format,
                              padding ? &*padding : nullptr, samples, pieces[i]));
  }
  return frames;
}

/// Compresses frames without loss, and proves it.
void compress(DicomPixels& pixels, const PixelFormat& format, DicomCompression compression, const std::string& name) {
  pixels.transfer_syntax = compression == DicomCompression::kRle      ? transfer_syntax::kRle
                           : compression == DicomCompression::kJpegLs ? transfer_syntax::kJpegLs
                                                                      : transfer_syntax::kJpeg2000Lossless;
  std::vector<std::int32_t> values(format.frame_pixels());
  std::string back(format.frame_bytes(), '\0');
  for (std::string& piece : pixels.pieces) {
    std::string packed = encode_frame(piece, format, pixels.transfer_syntax);
    const std::string decoded = decode_frame(packed, format, pixels.transfer_syntax, name);
    unpack_samples({decoded}, format, 0, values);
    pack_samples(values, format, back.data());
    RESEDA_REQUIRE(back == piece, Errc::kOutput, name, ": its pixels do not survive compression to ",
                   pixels.transfer_syntax);
    piece = std::move(packed);
  }
}

}  // namespace

WrittenFile write_derived_file(const std::filesystem::path& path, const DicomSeries& series, const DerivedFile& file,
                               const at::Tensor& voxels, const Derivation& derivation, std::vector<std::string>& room) {
  const Refinement& refinement = derivation.refinement;
  const SourceFile source = open_source(series, file.slices, refinement);
  const PixelFormat format = stored_format(source.format, derivation);
  WrittenFile written;
  DerivedInstance instance{file.series_uid, file.sop_instance_uid, {}, format.highest(), format.lowest()};
  DicomPixels pixels{std::string(transfer_syntax::kExplicit), std::move(room), format.allocated};
  for (const QuantisedFrame& frame : quantise_frames(source, series, file, voxels, derivation, pixels.pieces)) {
    RESEDA_REQUIRE(frame.finite, Errc::kNumeric, path.filename().string(),
                   " of a derived series: cannot write: NaN or infinite voxels");
    written.clamped += frame.clamped;
    instance.smallest = std::min(instance.smallest, frame.smallest);
    instance.largest = std::max(instance.largest, frame.largest);
  }
  for (const std::size_t k : file.slices) instance.frames.push_back(series.slices[k].frame);
  if (derivation.compression != DicomCompression::kNone) {
    compress(pixels, format, derivation.compression, source.file.name);
  }
  DicomDataset dataset = source.file.dataset;
  if (derivation.strip_phi) {
    deidentify(dataset, derivation.phi_key, written.stripped);
    mark_deidentified(dataset);
  }
  dataset = derive_attributes(std::move(dataset), is_lossy(source.file.transfer_syntax), derivation, instance);
  if (derivation.scale) set_scale(dataset, *derivation.scale);
  if (refinement.slices > 1 || refinement.pixels > 1) {
    refine_attributes(dataset, refinement, refined_position(series, file.slices.front(), file.part, refinement),
                      file.number);
  }
  const Descriptor out(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  RESEDA_REQUIRE(out.valid(), Errc::kOutput, path.string(), ": cannot write: ", std::strerror(errno));
  put_dicom(dataset, pixels, [&](std::string_view bytes) { write_bytes(out.get(), bytes, path.string()); });
  room = std::move(pixels.pieces);
  return written;
}

}  // namespace reseda::io::detail
