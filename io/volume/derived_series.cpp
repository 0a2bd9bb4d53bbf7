#include "io/volume/derived_series.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "io/record/atomic_folder.hpp"
#include "io/volume/derived_file.hpp"
#include "io/volume/dicom_uid.hpp"
#include "io/volume/fingerprint.hpp"
#include "io/volume/pixel_codec.hpp"
#include "io/volume/series_files.hpp"
#include "modules/core/config_node.hpp"
#include "modules/core/error.hpp"
#include "modules/core/parallel.hpp"

namespace reseda::io {
namespace {

/// All that decides what is written besides the pixels.
std::string seed_of(const DicomSeries& series, const Derivation& derivation) {
  std::string seed = "reseda derived series";
  for (const std::string& part :
       {series.series_uid, series.part, derivation.description, derivation.software_version, derivation.identity,
        derivation.code.value, derivation.series_suffix, derivation.image_type,
        std::to_string(derivation.series_number_offset), derivation.date_time,
        std::to_string(static_cast<int>(derivation.compression)), std::string(derivation.keep_private ? "private" : ""),
        std::to_string(derivation.refinement.slices), std::to_string(derivation.refinement.pixels),
        std::string(derivation.strip_phi ? "stripped" : ""), derivation.phi_key,
        derivation.scale ? number_text(derivation.scale->slope) : ""})
    seed += "|" + std::to_string(part.size()) + ":" + part;
  return seed;
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

void check_voxels(const DicomSeries& source, const at::Tensor& voxels, const Refinement& refinement,
                  const std::string& name) {
  RESEDA_INVARIANT(voxels.dim() == 3 && voxels.scalar_type() == at::kFloat && voxels.is_cpu());
  const std::int64_t depth = static_cast<std::int64_t>(source.slices.size()) * refinement.slices;
  const std::int64_t rows = source.rows * refinement.pixels, columns = source.columns * refinement.pixels;
  RESEDA_REQUIRE(voxels.sizes() == at::IntArrayRef({depth, rows, columns}), Errc::kOutput, name,
                 ": cannot write: the voxels are ", voxels.sizes(), ", the derived series is ", depth, " x ", rows,
                 " x ", columns);
}

/// That DICOM can count what comes out, and that new slices know where their neighbours are.
void check_refinement(const DicomSeries& source, const Refinement& refinement, const std::string& name) {
  constexpr std::int64_t kMost = 65535;
  RESEDA_REQUIRE(refinement.slices >= 1 && refinement.pixels >= 1, Errc::kUsage, "a refinement must be >= 1");
  if (refinement.slices == 1 && refinement.pixels == 1) return;
  RESEDA_REQUIRE(refinement.pixels <= kMost / std::max(source.rows, source.columns) &&
                     refinement.slices <= kMost / static_cast<std::int64_t>(source.slices.size()),
                 Errc::kOutput, name, ": cannot write: DICOM has no more than ", kMost, " rows, columns or slices");
  if (refinement.slices == 1) return;
  for (const StackProblem& problem : source.problems)
    RESEDA_REQUIRE(problem.kind == Irregular::kTilt || problem.kind == Irregular::kUneven, Errc::kOutput, name,
                   ": cannot write finer slices: ", problem.what);
}

/// The files to write, in the order of their slices.
std::vector<detail::DerivedFile> plan_files(const DicomSeries& source, std::int64_t parts) {
  std::vector<detail::DerivedFile> plan;
  for (detail::FileSlices& slices : detail::slices_by_file(source)) {
    std::sort(slices.begin(), slices.end(),
              [&](std::size_t a, std::size_t b) { return source.slices[a].frame < source.slices[b].frame; });
    for (std::int64_t part = 0; part < parts; ++part)
      plan.push_back({slices, part, static_cast<std::int64_t>(plan.size()) + 1});
  }
  return plan;
}

/// UIDs follow from what is written.
void set_uids(std::vector<detail::DerivedFile>& files, const DicomSeries& source, const at::Tensor& voxels,
              const Derivation& derivation) {
  std::vector<std::string> prints(static_cast<std::size_t>(voxels.size(0)));
  const std::size_t slice_bytes = voxels.nbytes() / prints.size();
  parallel_for(0, voxels.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto k = static_cast<std::size_t>(begin); k < static_cast<std::size_t>(end); ++k)
      prints[k] =
          detail::fingerprint({static_cast<const char*>(voxels.const_data_ptr()) + k * slice_bytes, slice_bytes});
  });
  std::string seed = seed_of(source, derivation);
  for (const std::string& print : prints) seed += "|" + print;
  const std::string series_uid = detail::dicom_uid(seed);
  for (detail::DerivedFile& file : files) {
    file.series_uid = series_uid;
    file.sop_instance_uid = detail::dicom_uid(series_uid + "|" + source.slices[file.slices.front()].sop_instance_uid +
                                              "|" + std::to_string(file.part));
  }
}

std::string name_of(const detail::DerivedFile& file) {
  std::array<char, 32> name{};
  std::snprintf(name.data(), name.size(), "IM%05lld.dcm", static_cast<long long>(file.number));
  return name.data();
}

}  // namespace

DerivedSeries write_derived_series(const std::filesystem::path& folder, const DicomSeries& source,
                                   const at::Tensor& voxels, const Derivation& derivation) {
  RESEDA_REQUIRE(derivation.date_time.empty() || derivation.date_time.size() == 14, Errc::kUsage,
                 "date and time must be YYYYMMDDhhmmss, got '", derivation.date_time, "'");
  check_refinement(source, derivation.refinement, folder.string());
  check_voxels(source, voxels, derivation.refinement, folder.string());
  check_place(folder, source);
  AtomicFolder target(folder);
  const detail::QuietGdcm quiet;
  const at::Tensor values = voxels.contiguous();
  std::vector<detail::DerivedFile> files = plan_files(source, derivation.refinement.slices);
  set_uids(files, source, values, derivation);
  std::vector<detail::WrittenFile> written(files.size());
  parallel_for(0, static_cast<std::int64_t>(files.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::string> room;
    for (auto f = static_cast<std::size_t>(begin); f < static_cast<std::size_t>(end); ++f)
      written[f] =
          detail::write_derived_file(target.staged() / name_of(files[f]), source, files[f], values, derivation, room);
  });
  DerivedSeries derived;
  derived.series_uid = files.front().series_uid;
  for (const detail::DerivedFile& file : files) derived.files.push_back(folder / name_of(file));
  for (const detail::WrittenFile& file : written) {
    derived.clamped += file.clamped;
    for (const auto& [what, count] : file.stripped) derived.stripped[what] += count;
  }
  target.commit();
  return derived;
}

}  // namespace reseda::io
