#include "io/volume/derived_series.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <span>
#include <utility>

#include "io/record/atomic_folder.hpp"
#include "io/record/file_bytes.hpp"
#include "io/record/sha256.hpp"
#include "io/volume/deidentify.hpp"
#include "io/volume/derived_attributes.hpp"
#include "io/volume/dicom_file.hpp"
#include "io/volume/dicom_frame.hpp"
#include "io/volume/dicom_pixels.hpp"
#include "io/volume/dicom_uid.hpp"
#include "io/volume/dicom_writer.hpp"
#include "io/volume/padding.hpp"
#include "io/volume/pixel_codec.hpp"
#include "io/volume/series_files.hpp"
#include "io/volume/slice_values.hpp"
#include "modules/core/error.hpp"

namespace reseda::io {
namespace {

/// One file of the source with the stored values of its new frames.
struct SourceFile {
  detail::DicomFile file;
  detail::PixelFormat format;
  detail::DerivedInstance instance;
  std::vector<std::string> pieces;  ///< bytes of each frame
  std::int64_t clamped = 0;
};

SourceFile read_source(const DicomSeries& series, const detail::FileSlices& slices, const at::Tensor& voxels) {
  SourceFile source;
  source.file = detail::open_dicom(series.slices[slices.front()].file);
  source.format = detail::read_pixel_format(source.file);
  const detail::PixelFormat& format = source.format;
  const auto frames = detail::read_frames(source.file, format);
  const auto padding = detail::read_padding(source.file, format);
  const detail::PixelReader pixels(source.file, format);
  // In the order of the file.
  std::vector<std::pair<std::int64_t, std::size_t>> order;
  for (const std::size_t k : slices) order.emplace_back(series.slices[k].frame, k);
  std::sort(order.begin(), order.end());
  source.instance.smallest = format.highest();
  source.instance.largest = format.lowest();
  std::string decoded;
  for (const auto& [frame, k] : order) {
    detail::check_slice(source.file, format, series, series.slices[k]);
    const std::size_t count = format.frame_pixels();
    const std::span<const float> values(voxels.const_data_ptr<float>() + k * count, count);
    detail::QuantisedFrame quantised =
        detail::quantise(values, frames[static_cast<std::size_t>(frame)], format, padding ? &*padding : nullptr,
                         padding ? pixels.read(frame, decoded) : detail::Samples());
    RESEDA_REQUIRE(quantised.finite, Errc::kNumeric, "cannot write slice ", k + 1, " of ", series.slices.size(),
                   " of a derived series: NaN or infinite voxels");
    source.clamped += quantised.clamped;
    source.instance.smallest = std::min(source.instance.smallest, quantised.smallest);
    source.instance.largest = std::max(source.instance.largest, quantised.largest);
    source.instance.frames.push_back(frame);
    source.pieces.push_back(std::move(quantised.bytes));
  }
  return source;
}

/// All that decides what is written besides the pixels.
std::string seed_of(const DicomSeries& series, const Derivation& derivation) {
  std::string seed = "reseda derived series";
  for (const std::string& part :
       {series.series_uid, series.part, derivation.description, derivation.software_version, derivation.identity,
        derivation.code.value, derivation.series_suffix, derivation.image_type,
        std::to_string(derivation.series_number_offset), derivation.date_time,
        std::to_string(static_cast<int>(derivation.compression)), std::string(derivation.keep_private ? "private" : ""),
        std::string(derivation.strip_phi ? "stripped" : ""), derivation.phi_key})
    seed += "|" + std::to_string(part.size()) + ":" + part;
  return seed;
}

/// SHA-256 of the stored values of one file.
std::string digest_of(const SourceFile& source) {
  std::string digests;
  for (const std::string& piece : source.pieces) digests += sha256(piece);
  return sha256(digests);
}

detail::DicomPixels pixels_of(SourceFile& source, DicomCompression compression) {
  detail::DicomPixels pixels;
  pixels.allocated = source.format.allocated;
  if (compression == DicomCompression::kNone) {
    pixels.transfer_syntax = detail::transfer_syntax::kExplicit;
    pixels.pieces = std::move(source.pieces);
    return pixels;
  }
  pixels.transfer_syntax = compression == DicomCompression::kRle      ? detail::transfer_syntax::kRle
                           : compression == DicomCompression::kJpegLs ? detail::transfer_syntax::kJpegLs
                                                                      : detail::transfer_syntax::kJpeg2000Lossless;
  std::vector<std::int32_t> values(source.format.frame_pixels());
  std::string back(source.format.frame_bytes(), '\0');
  for (const std::string& piece : source.pieces) {
    pixels.pieces.push_back(detail::encode_frame(piece, source.format, pixels.transfer_syntax));
    const std::string decoded =
        detail::decode_frame(pixels.pieces.back(), source.format, pixels.transfer_syntax, source.file.name);
    detail::unpack_samples({decoded}, source.format, 0, values);
    detail::pack_samples(values, source.format, back.data());
    RESEDA_REQUIRE(back == piece, Errc::kOutput, source.file.name, ": its pixels do not survive compression to ",
                   pixels.transfer_syntax);
  }
  return pixels;
}

/// Inside its source, a derived series would be found as part of it.
void check_place(const std::filesystem::path& folder, const DicomSeries& source) {
  const auto target = std::filesystem::weakly_canonical(folder);
  for (const DicomSlice& slice : source.slices) {
    const auto home = std::filesystem::weakly_canonical(slice.file).parent_path();
    const auto [end, ignored] = std::mismatch(home.begin(), home.end(), target.begin(), target.end());
    RESEDA_REQUIRE(end != home.end(), Errc::kOutput, folder.string(), ": cannot write: it lies in the source's folder ",
                   home.string());
  }
}

/// Writes one file. @return what strip_phi did
detail::DeidentificationReport write_instance(const std::filesystem::path& path, SourceFile& source,
                                              const Derivation& derivation) {
  detail::DicomDataset dataset = source.file.dataset;
  detail::DeidentificationReport report;
  if (derivation.strip_phi) {
    detail::deidentify(dataset, derivation.phi_key, report);
    detail::mark_deidentified(dataset);
  }
  const bool lossy = detail::is_lossy(source.file.transfer_syntax);
  dataset = detail::derive_attributes(std::move(dataset), lossy, derivation, source.instance);
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  RESEDA_REQUIRE(file.valid(), Errc::kOutput, path.string(), ": cannot write: ", std::strerror(errno));
  detail::put_dicom(dataset, pixels_of(source, derivation.compression),
                    [&](std::string_view bytes) { write_bytes(file.get(), bytes, path.string()); });
  return report;
}

template <class Function>
void for_each_file(std::size_t count, const Function& function) {
  at::parallel_for(0, static_cast<std::int64_t>(count), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto f = static_cast<std::size_t>(begin); f < static_cast<std::size_t>(end); ++f) function(f);
  });
}

void check_voxels(const DicomSeries& source, const at::Tensor& voxels, const std::string& name) {
  RESEDA_INVARIANT(voxels.dim() == 3 && voxels.scalar_type() == at::kFloat && voxels.is_cpu());
  const auto depth = static_cast<std::int64_t>(source.slices.size());
  RESEDA_REQUIRE(voxels.sizes() == at::IntArrayRef({depth, source.rows, source.columns}), Errc::kOutput, name,
                 ": cannot write: the voxels are ", voxels.sizes(), ", the source series is ", depth, " x ",
                 source.rows, " x ", source.columns);
}

}  // namespace

DerivedSeries write_derived_series(const std::filesystem::path& folder, const DicomSeries& source,
                                   const at::Tensor& voxels, const Derivation& derivation) {
  RESEDA_REQUIRE(derivation.date_time.empty() || derivation.date_time.size() == 14, Errc::kUsage,
                 "date and time must be YYYYMMDDhhmmss, got '", derivation.date_time, "'");
  check_voxels(source, voxels, folder.string());
  check_place(folder, source);
  AtomicFolder target(folder);
  const detail::QuietGdcm quiet;
  const at::Tensor values = voxels.contiguous();
  const std::vector<detail::FileSlices> slices = detail::slices_by_file(source);
  std::vector<SourceFile> files(slices.size());
  std::vector<std::string> digests(slices.size());
  for_each_file(slices.size(), [&](std::size_t f) {
    files[f] = read_source(source, slices[f], values);
    digests[f] = digest_of(files[f]);
  });
  DerivedSeries derived;
  std::string seed = seed_of(source, derivation);
  for (const std::string& digest : digests) seed += "|" + digest;
  derived.series_uid = detail::dicom_uid(seed);
  for (std::size_t f = 0; f < files.size(); ++f) {
    files[f].instance.series_uid = derived.series_uid;
    files[f].instance.sop_instance_uid =
        detail::dicom_uid(derived.series_uid + "|" + source.slices[slices[f].front()].sop_instance_uid);
    std::array<char, 32> name{};
    std::snprintf(name.data(), name.size(), "IM%05zu.dcm", f + 1);
    derived.files.push_back(folder / name.data());
    derived.clamped += files[f].clamped;
  }
  std::vector<detail::DeidentificationReport> reports(files.size());
  for_each_file(files.size(), [&](std::size_t f) {
    reports[f] = write_instance(target.staged() / derived.files[f].filename(), files[f], derivation);
    files[f] = {};
  });
  for (const auto& report : reports)
    for (const auto& [what, count] : report) derived.stripped[what] += count;
  target.commit();
  return derived;
}

}  // namespace reseda::io
