#include <ATen/ATen.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "io/volume/deidentify.hpp"
#include "io/volume/derived_attributes.hpp"
#include "io/volume/dicom_file.hpp"
#include "io/volume/dicom_writer.hpp"
#include "io/volume/volume.hpp"
#include "modules/core/error.hpp"
#include "tests/fuzz/fuzz_folder.hpp"
#include "tests/fuzz/fuzz_targets.hpp"

namespace reseda::fuzz {
namespace {

// A few bytes can stand for millions of equal voxels.
constexpr std::int64_t kMaxVoxels = 1 << 16;

/// ITK looks at names: the one that these bytes look like.
std::string name_of(std::string_view bytes) {
  return bytes.starts_with("NRRD")                ? "v.nrrd"
         : bytes.starts_with("ObjectType")        ? "v.mha"
         : bytes.starts_with("\x1f\x8b")          ? "v.nii.gz"
         : bytes.substr(0, 132).ends_with("DICM") ? "v.dcm"
                                                  : "v.nii";
}

/// Everything that a derived file is made of, for any data set that can be parsed.
void derive(std::string_view bytes) {
  const io::detail::DicomFile file = io::detail::parse_dicom(bytes, "fuzz");
  io::detail::DicomDataset dataset = file.dataset;
  io::detail::DeidentificationReport report;
  io::detail::deidentify(dataset, "key", report);
  dataset = io::detail::derive_attributes(dataset, false, {.description = "fuzz", .software_version = "0"},
                                          {.series_uid = "1", .sop_instance_uid = "2"});
  std::string written;
  io::detail::put_dicom(dataset, {std::string(io::detail::transfer_syntax::kExplicit), {"ab"}, 16},
                        [&](std::string_view part) { written += part; });
  io::detail::parse_dicom(written, "written");
}

}  // namespace

void volume(std::span<const std::uint8_t> bytes) {
  static const FuzzFolder folder;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::filesystem::path file = folder.write(name_of(text), text);
  for (const bool whole : {true, false}) {
    try {
      if (whole) io::read_volume(file, {.voxels = kMaxVoxels});
      if (!whole && file.extension() == ".dcm") derive(text);
    } catch (const Error& error) {
      // A file with several volumes asks its user to choose.
      if (error.code() != Errc::kInput && error.code() != Errc::kUsage) std::abort();
    }
  }
}

}  // namespace reseda::fuzz
