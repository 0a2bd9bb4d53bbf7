#pragma once

#include <filesystem>

#include "io/kspace/kspace.hpp"

namespace reseda::io {

/// k-space of an HDF5 file, as fastMRI or ISMRMRD write it; see fastmri.hpp and ismrmrd.hpp. The mask may be undefined.
/// @throws Error{kInput} naming file and rule, also where reseda was built without HDF5
Kspace read_kspace_hdf5(const std::filesystem::path& file, const KspaceLimits& limits);

/// Whether this build reads HDF5.
bool reads_hdf5();

}  // namespace reseda::io
