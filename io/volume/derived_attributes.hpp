#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/volume/derived_series.hpp"
#include "io/volume/dicom_dataset.hpp"

namespace reseda::io::detail {

/// What is new in one file of a derived series.
struct DerivedInstance {
  std::string series_uid, sop_instance_uid;
  std::vector<std::int64_t> frames = {};   ///< of the source file that are kept, ascending
  std::int32_t smallest = 0, largest = 0;  ///< stored values
};

/// The data set of a derived image: the source's with the changes that write_derived_series lists.
/// @param dataset  of the source, or what deidentify left of it
/// @param lossy  the source's pixels were compressed with loss
DicomDataset derive_attributes(DicomDataset dataset, bool lossy, const Derivation& derivation,
                               const DerivedInstance& instance);

}  // namespace reseda::io::detail
