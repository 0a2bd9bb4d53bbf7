#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/batch/discovery.hpp"
#include "io/volume/dicom_series.hpp"

namespace reseda::medical {

/// A volume to work on: a series of DICOM, or a file.
struct Scan {
  io::InputFile input;                    ///< of a series: its files, and the name "series-NUMBER"
  std::optional<io::DicomSeries> series;  ///< nothing: input.path is a NIfTI, NRRD or MetaImage file
};

struct ScanSearch {
  bool recursive = false;     ///< look for volume files in the folders of a folder too; for DICOM it always is done
  std::string series = {};    ///< UID, or place in the list, of the only series wanted; empty: all of CT, MR and PET
  bool any_modality = false;  ///< series of other modalities too
  bool skip_damaged = false;  ///< go on with what can be read where images are damaged
  std::string output = {};    ///< folder that is not looked into
  std::vector<std::filesystem::path> companions = {};  ///< further outputs; those that end in '/' are such folders too
};

/// What inputs hold, by id: a folder or file with DICOM gives its series; all else as io::discover_inputs.
/// @throws Error{kInput} where there is nothing, an image is damaged, or a folder of output lies in one of input;
///         Error{kUsage} where slices of a series are given one by one, or by a pattern
std::vector<Scan> find_scans(const std::vector<std::string>& inputs, const ScanSearch& search);

/// The scans as items of a batch.
io::Discovery items_of(const std::vector<Scan>& scans, const std::vector<std::string>& inputs);

}  // namespace reseda::medical
