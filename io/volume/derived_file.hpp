#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "io/volume/deidentify.hpp"
#include "io/volume/derived_series.hpp"
#include "io/volume/series_files.hpp"

namespace reseda::io::detail {

/// One file of a derived series, made of frames of one file of the source.
struct DerivedFile {
  FileSlices slices;        ///< of the source, in the order of the file's frames
  std::int64_t part = 0;    ///< which of the new slices of each, below refinement.slices
  std::int64_t number = 0;  ///< of the file, from 1
  std::string series_uid = {}, sop_instance_uid = {};
};

struct WrittenFile {
  std::int64_t clamped = 0;
  DeidentificationReport stripped = {};
};

/// Writes the file, which must not exist. @param room  memory of pixels, used again from file to file
/// @throws Error{kInput}: the source has changed; Error{kNumeric}: NaN or infinite voxels
WrittenFile write_derived_file(const std::filesystem::path& path, const DicomSeries& source, const DerivedFile& file,
                               const at::Tensor& voxels, const Derivation& derivation, std::vector<std::string>& room);

}  // namespace reseda::io::detail
