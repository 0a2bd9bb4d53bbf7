#pragma once

#include <map>
#include <vector>

#include "io/volume/dicom_file.hpp"
#include "io/volume/dicom_pixels.hpp"
#include "io/volume/dicom_series.hpp"
#include "io/volume/dicom_tags.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {

/// Slices of one file, by their places in the stack.
using FileSlices = std::vector<std::size_t>;

/// The files of a series in the order of their first slices.
inline std::vector<FileSlices> slices_by_file(const DicomSeries& series) {
  std::vector<FileSlices> files;
  std::map<std::filesystem::path, std::size_t> known;
  for (std::size_t k = 0; k < series.slices.size(); ++k) {
    const auto [at, fresh] = known.emplace(series.slices[k].file, files.size());
    if (fresh) files.emplace_back();
    files[at->second].push_back(k);
  }
  return files;
}

/// That a file still is what find_series saw. @throws Error{kInput} with its name
inline void check_slice(const DicomFile& file, const PixelFormat& format, const DicomSeries& series,
                        const DicomSlice& slice) {
  RESEDA_REQUIRE(slice.frame < format.frames && format.rows == series.rows && format.columns == series.columns &&
                     file.dataset.text(tags::kSopInstanceUid) == slice.sop_instance_uid,
                 Errc::kInput, file.name, ": does not fit its series, or has changed");
}

}  // namespace reseda::io::detail
